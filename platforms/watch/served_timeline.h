// SPDX-License-Identifier: Apache-2.0
// A served run as a timeline: what each request waited for and did, the steps of every replica, batch, queue and KV
// blocks over time. Its time is that of the service; steps whose cost was reused are there as well.
#pragma once
#include <string>
#include <vector>

#include "platforms/watch/timeline.h"
#include "traces/serving/engine.h"

namespace memwall::platforms {

class served_timeline {
 public:
  /// Throws what timeline_writer throws.
  served_timeline(const std::string& path, int replicas);
  void step(const serving::served_step& s);
  /// Requests, once all is over; completes the file.
  void finish(const serving::request_list& asked, const serving::engine& server);

 private:
  timeline_writer m_out;
  std::vector<int> m_processes;
  std::vector<timeline_writer::track> m_steps;
};

}  // namespace memwall::platforms
