// SPDX-License-Identifier: Apache-2.0
// Where points are simulated. An executor is one file: it sees that every point it is given leaves a record,
// and names itself in the registry. Executors never see the database.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/common/registry.h"
#include "tools/sweep/plan.h"
#include "tools/sweep/record.h"

namespace memwall::sweep {

/// What --keep keeps of a point's output beside its record.
enum class keep { nothing, result, everything };

struct sweep_options {
  std::string directory;  ///< --out, absolute
  int jobs = 1;           ///< points at once (local)
  point_limits limits;
  bool retry_failed = false;
  keep kept = keep::nothing;
  bool quiet = false;
  bool terminal = false;  ///< progress is drawn on stderr
  // Cluster executors:
  std::string self;                    ///< this program, as the nodes can start it
  std::string runner;                  ///< --runner, "" for this program
  bool whatif = false;                 ///< --whatif of the sweep command
  std::vector<std::string> overrides;  ///< --set of the sweep command
  std::size_t chunk = 0;               ///< points an array task; 0: chosen by the executor
  int retries = 2;                     ///< of points whose node failed
  double poll_s = 2;                   ///< between looks at the queue
};

/// One line on a terminal: points done, rate, time left. Draws nothing elsewhere.
class progress_meter {
 public:
  progress_meter(std::size_t total, bool drawn);
  ~progress_meter();
  void done(std::size_t points, bool failed = false);
  void draw();

 private:
  struct state;
  std::unique_ptr<state> m_state;
};

struct run_request {
  const plan& points;
  const std::vector<std::size_t>& todo;  ///< numbers of the points to simulate
  const record_store& records;
  const sweep_options& options;
};

/// How it went. A point that has no record is open: it is simulated the next time.
struct run_outcome {
  bool stopped = false;        ///< asked to stop by a signal
  std::size_t taken_away = 0;  ///< points whose simulation somebody ended from outside
  std::size_t unwritten = 0;   ///< points whose output could not be written; the rest was not tried
  bool complete() const { return !stopped && taken_away == 0 && unwritten == 0; }
};

class executor {
 public:
  virtual ~executor() = default;
  /// Simulates the points. Throws io_error when a record cannot be written.
  virtual run_outcome run(const run_request& request) = 0;
};

using executor_factory = std::function<std::unique_ptr<executor>()>;
registry<executor_factory>& executors();

/// Adds an executor from its own file: static const executor_entry local{"local", "...", [] { ... }};
using executor_entry = registered<&executors>;

}  // namespace memwall::sweep
