// SPDX-License-Identifier: Apache-2.0
// One served model: requests over time on a platform. One a process, as run().
#pragma once
#include <functional>
#include <string>

#include "models/model.h"
#include "platforms/execute/run.h"
#include "platforms/tell/serving_result.h"
#include "traces/serving/request.h"
#include "traces/serving/server_params.h"

namespace memwall::platforms {

struct serve_options {
  run_options run;  ///< platform, fidelity, observation; its trace is made here
  memwall::model model;
  dtypes types;
  serving::request_list requests;
  int replicas = 1;
  service_level slo;
  bool reuse = true;
  double reuse_bound = 0.01;                          ///< relative error that reuse may have
  std::function<void(const std::string&)> steps_csv;  ///< one line a step; unset: none
  /// Requests and steps in the time of the service; "": none. (What run.timeline_file and run.vcd_file show is what was
  /// simulated, one probe after the other.)
  std::string timeline_file;
};

struct serve_outcome {
  json result;
  bool partial = false;
  std::vector<std::string> requests_csv;  ///< one line a completed request
};

/// What the engine is set to, by the platform's `server` section. Throws input_error.
serving::server_params server_of(const platform_description& platform);

/// Throws what run() throws, and input_error or capacity_error for requests that can never be served.
serve_outcome serve(const serve_options& options);

}  // namespace memwall::platforms
