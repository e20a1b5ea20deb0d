// SPDX-License-Identifier: Apache-2.0
// memwall infer --sweep: accuracy, time and energy on one page.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "platforms/values/inference.h"

namespace memwall::tools {

struct infer_arguments {
  std::string model, platform, prompt, text, dtype, calibrate, out, transfer_bytes = "auto";
  std::vector<std::string> sets, sweeps;
  std::int64_t tokens = 0, context = 0;
  double age = 0;
  std::uint64_t seed = 1;
  int threads = 1, seeds = 3;
  bool reference = false, payload = false, random_weights = false, compare = true, sensitivity = false, quiet = false,
       json = false;
};

/// A model that has been opened, to be run under several settings.
class infer_session {
 public:
  /// Throws input_error for what does not go together, an unknown model, missing weights.
  explicit infer_session(const infer_arguments& a);
  const memwall::model& shape() const { return m_shape; }
  /// Values, then time and energy of the same tokens in a simulation. nullptr: the reference.
  nlohmann::ordered_json run(const platforms::platform_description* p, const std::function<void(double)>& progress = {},
                             bool simulate = true) const;
  platforms::inference_request request(const platforms::platform_description* p) const;
  void set(const infer_arguments& a) { m_arguments = a; }

 private:
  infer_arguments m_arguments;
  memwall::model m_shape;
  numerics m_numerics;
  std::shared_ptr<const weight_source> m_weights;
};

/// One line on the terminal's error stream, overwritten; nothing where that is no terminal or `silent`.
std::function<void(double)> share_line(const std::string& what, bool silent);

/// Prints the table; writes sweep.json, sweep.csv and sweep.html into --out.
void run_infer_sweep(const infer_session& session, const infer_arguments& a);

}  // namespace memwall::tools
