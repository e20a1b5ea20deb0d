// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/controller.h"

#include "hw/dram/engine/front_end.h"
#include "hw/dram/engine/page_policy.h"
#include "hw/dram/engine/queues.h"
#include "hw/dram/engine/refresh.h"
#include "hw/dram/engine/scheduler.h"

namespace memwall::dram {
namespace {

/// "name: what it does; ..." of all policies of a kind.
template <class Policy>
std::string meanings() {
  std::string out;
  for (const auto& [name, item] : policies<Policy>().items())
    out += (out.empty() ? "" : "; ") + name + ": " + item.description;
  return out;
}

template <class Policy>
std::vector<std::string> names(std::vector<std::string> first = {}) {
  for (auto& n : policies<Policy>().names()) first.push_back(n);
  return first;
}

}  // namespace

const param_table<controller_params>& controller_table() {
  using p = controller_params;
  static const auto table =
      param_table<p>("controller")
          .add("scheduler", &p::scheduler, "order of requests. " + meanings<scheduler>(),
               "Rixner et al., Memory access scheduling, ISCA 2000; Mutlu and Moscibroda, MICRO 2007")
          .choices(names<scheduler>())
          .add("cap", &p::cap, "frfcfs_cap: row hits that may overtake an older request of the same bank")
          .range(1, 1'000'000)
          .add("read_queue", &p::read_queue,
               "reads that a channel looks at, in bursts; 0: as many as the standard needs to hide row changes (32 or "
               "64)")
          .range(0, 4096)
          .add("write_queue", &p::write_queue, "writes that a channel holds, in bursts; 0: as read_queue")
          .range(0, 4096)
          .add("queues", &p::queues, "what is full when the interface stops. " + meanings<queue_organisation>())
          .choices(names<queue_organisation>())
          .add("front", &p::front, "requests that may enter a channel. " + meanings<front_end>())
          .choices(names<front_end>())
          .add("write_mode", &p::write_mode,
               "drain: writes wait and are served in groups between the watermarks; unified: reads and writes compete "
               "by readiness and age")
          .choices({"drain", "unified"})
          .add("write_high", &p::write_high, "filling of the write queue above which writes are served")
          .range(0.0, 1.0)
          .add("write_low", &p::write_low, "filling of the write queue below which reads are served again")
          .range(0.0, 1.0)
          .add("command_order", &p::command_order,
               "of commands of several clocks (ACT of HBM and LPDDR) and others: start: what can start first goes "
               "first; end: what has its last clock first, so that a PRE overtakes an ACT that could start with it")
          .choices({"start", "end"})
          .add("age_limit", &p::age_limit, "clocks after which a waiting request goes before all others; 0: never")
          .range(std::int64_t{0}, std::int64_t{1} << 40)
          .add("page_policy", &p::page_policy, "when an open row closes. " + meanings<page_policy>(),
               "Awasthi et al., Prediction based DRAM row-buffer management, PACT 2011 (the idea: learn from the last "
               "closing)")
          .choices(names<page_policy>())
          .add("page_timeout", &p::page_timeout,
               "timeout and adaptive policies: time without an access after which a row is closed (adaptive: at first, "
               "then 1/16 to 16 times)")
          .range(duration(0), duration(1e-3))
          .add("refresh", &p::refresh,
               "how rows are refreshed. standard: what the standard's users run; " + meanings<refresh_policy>())
          .choices(names<refresh_policy>({"standard"}))
          .add("refresh_precharge", &p::refresh_precharge,
               "a refresh that is due lets rows that were opened for a request serve it (after_use), or closes them as "
               "soon as timing allows, to be opened again (at_once)")
          .choices({"after_use", "at_once"})
          .add("refresh_postpone", &p::refresh_postpone, "all-bank refreshes that may be put off while requests wait",
               "JESD79-4: up to 8")
          .range(0, 8)
          .add("refresh_stagger", &p::refresh_stagger,
               "ranks, pseudo-channels and channels refresh one after another instead of all at once")
          .add("input_clocks", &p::input_clocks,
               "clocks from a request's arrival to its first command: the queue's input register")
          .range(0, 1000)
          .add("front_end", &p::front_end, "pipeline latency before the queue")
          .range(duration(0), duration(1e-5))
          .add("back_end", &p::back_end, "pipeline latency from the data beats to the initiator")
          .range(duration(0), duration(1e-5))
          .add("max_transfers", &p::max_transfers,
               "transfers in flight; more are refused. 0: 128 a channel, at least 4096")
          .range(0, 1'000'000)
          .add("replay", &p::replay,
               "exact replay of recurring channel states (not with page_policy timeout or adaptive); off gives "
               "identical results, slower")
          .add("replay_block", &p::replay_block, "bursts of one channel in a replayed block")
          .range(8, 4096)
          .add("replay_memory", &p::replay_memory, "limit of the replay table; when it is full the table starts afresh")
          .range(byte_size(1 << 20), byte_size(8.0 * (1ull << 30)));
  return table;
}

}  // namespace memwall::dram
