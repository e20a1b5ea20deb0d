// SPDX-License-Identifier: Apache-2.0
// Servers of requests over time: arrivals, a router, a scheduler a replica, and what each request went through. It
// knows no hardware: whoever drives it says what a step cost.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "traces/serving/outcome.h"
#include "traces/serving/scheduler.h"
#include "traces/serving/step_operators.h"

namespace memwall::serving {

/// Where the time of a request went.
struct request_time {
  ps_t front_end = 0;                     ///< before it was queued
  ps_t queue = 0;                         ///< waiting to be let in, again after a preemption, or for a share of a step
  ps_t prompt_host = 0, decode_host = 0;  ///< steps in which the host was what all waited for
  stall_stack prompt, decode;             ///< of the device in steps that computed its prompt, or a token of it
  ps_t sum() const { return front_end + queue + prompt_host + decode_host + prompt.sum() + decode.sum(); }
};

/// What became of a request.
struct served_request {
  bool completed = false;
  int replica = 0;
  ps_t arrival = 0;  ///< known late for requests that follow others
  ps_t queued = 0, scheduled = -1, first_token = -1, last_token = 0;
  std::int64_t preemptions = 0, hit_tokens = 0;
  double core_pj = 0, memory_bytes = 0;  ///< its share of what steps took, by tokens
  request_time time;                     ///< sums to last_token - arrival
};

/// One step, for steps.csv and pictures.
struct served_step {
  int replica = 0;
  ps_t start = 0, end = 0, host = 0;  ///< host: time in which the device waited for it
  std::int64_t prompts = 0, decodes = 0, tokens = 0, running = 0, waiting = 0, kv_used = 0, preempted = 0;
  stall_stack parts;  ///< of the device; with host sums to end - start
  double energy_pj = 0, memory_bytes = 0;
};

/// A step that has been formed and waits for its cost.
struct pending_step {
  int replica = 0;
  std::int64_t number = 0;
  ps_t start = 0;
  step_shape shape;
  std::int64_t swapped_out = 0, swapped_in = 0;  ///< KV blocks that are copied to the host's memory and back before it
};

class engine {
 public:
  /// `list` must outlive it. `kv`: KV blocks of a replica. Throws input_error or capacity_error for requests that can
  /// never be served: longer than the model's positions (`positions`, 0: no limit), or than the KV memory.
  engine(const request_list& list, const server_params& params, std::int64_t kv, int replicas, std::int64_t positions);

  /// Forms the next step in time; nothing when all requests are done.
  const pending_step* next();
  /// The step that next() formed took the device so long.
  void complete(const outcome& device);

  const std::vector<served_request>& requests() const { return m_served; }
  ps_t now() const { return m_now; }  ///< end of the last step
  std::int64_t steps() const { return m_number; }
  std::int64_t tokens() const { return m_tokens; }  ///< generated
  std::int64_t completed() const { return m_completed; }
  std::int64_t preemptions() const { return m_preemptions; }
  std::int64_t hit_tokens() const;
  std::int64_t asked_tokens() const;
  std::int64_t kv_blocks() const { return m_kv; }
  std::int64_t peak_blocks() const { return m_peak_blocks; }
  const outcome& device() const { return m_device; }  ///< of all steps
  ps_t host_time() const { return m_host; }
  /// Times between two tokens of one sequence, and how often each occurred.
  const std::vector<std::pair<ps_t, std::int64_t>>& gaps() const { return m_gaps; }

  std::function<void(const served_step&)> on_step;  ///< called at the end of each; may be empty

 private:
  struct open_request {
    bool in = false, prompt = true;  // takes part in its replica's steps; they count as its prompt's
    ps_t waits_since = 0;
    // Totals of the replica when it came in: what was added since is its own, without a sum a step and request.
    ps_t host = 0;
    stall_stack parts;
    std::int64_t step = -1;  // the last one it took part in
  };
  struct replica {
    std::unique_ptr<serving::scheduler> scheduler;
    ps_t free = 0;  // when its next step may start: the end of the last one, or when somebody came
    // async_scheduling: until when requests take part in the first step after a pause, and who came too late for the
    // next step.
    ps_t formed = 0;
    std::vector<std::size_t> late;
    ps_t host = 0;  // totals of all steps so far
    stall_stack parts;
    std::vector<std::size_t> members;  // requests in its last step
  };
  struct arrival {
    ps_t at;
    std::size_t number;
    friend bool operator>(const arrival& a, const arrival& b) {
      return a.at != b.at ? a.at > b.at : a.number > b.number;
    }
  };

  void refuse_what_never_fits(std::int64_t positions) const;
  void queue(const arrival& a);
  int route(const request& r);
  replica* earliest();
  step_shape shape_of(const step& s) const;
  std::int64_t padded(std::int64_t rows) const;
  void enter(const replica& r, std::size_t number, bool prompt, ps_t now);
  void leave(const replica& r, std::size_t number, ps_t now);
  void token(std::size_t number, ps_t start, ps_t now, std::int64_t& steady);

  const request_list& m_list;
  const server_params m_p;
  const std::int64_t m_kv;
  std::vector<replica> m_replicas;
  std::vector<served_request> m_served;
  std::vector<open_request> m_open;
  std::vector<std::vector<std::size_t>> m_followers;  // by request: those that come after its end
  std::priority_queue<arrival, std::vector<arrival>, std::greater<>> m_arrivals;
  std::optional<pending_step> m_pending;
  const step* m_step = nullptr;
  ps_t m_now = 0, m_host = 0;
  int m_turn = 0;  // of the router
  std::int64_t m_number = 0, m_tokens = 0, m_completed = 0, m_preemptions = 0, m_peak_blocks = 0;
  outcome m_device;
  std::vector<std::pair<ps_t, std::int64_t>> m_gaps;
};

}  // namespace memwall::serving
