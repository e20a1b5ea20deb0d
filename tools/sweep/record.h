// SPDX-License-Identifier: Apache-2.0
// What is kept of one point: a small JSON file named after the point's content hash, whole or absent.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tools/sweep/plan.h"

namespace memwall::sweep {

/// How a point ended. `ok`, `refused` (bad input) and `does_not_fit` are results; the rest are accidents that
/// --retry-failed runs again.
struct ending {
  std::string status;   ///< ok | refused | does_not_fit | crashed | timeout | out_of_memory | lost
  int exit_code = 0;    ///< of the simulation; 128 + signal when a signal ended it
  std::string message;  ///< what the simulation said, when not ok
  double wall_s = 0, cpu_s = 0, peak_rss_mb = 0;
};

bool is_accident(const std::string& status);

/// The limits a point ran under; a timeout is tried again when it was raised.
struct point_limits {
  double timeout_s = 0;            ///< 0: none
  std::uint64_t memory_bytes = 0;  ///< 0: none
};

/// The part of a result.json that a sweep keeps. Throws std::runtime_error when it is not one.
nlohmann::ordered_json distil_result(const std::string& text);

/// The folder of records, DIR/points. Several processes may write different records at once.
class record_store {
 public:
  explicit record_store(const std::string& directory);

  void save(const point& p, const ending& e, const point_limits& limits, const nlohmann::ordered_json& result) const;
  /// Nothing when there is none, or it is torn (after a power cut).
  std::optional<nlohmann::ordered_json> load(const std::string& key) const;
  void erase(const std::string& key) const;
  /// Whether the point need not be run (again).
  bool settled(const std::string& key, const point_limits& limits, bool retry_failed) const;
  /// Where --keep puts the point's whole output.
  std::string kept_path(const std::string& key) const;

 private:
  std::string path(const std::string& key, bool good) const;
  std::string m_directory;
};

}  // namespace memwall::sweep
