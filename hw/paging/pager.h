// SPDX-License-Identifier: Apache-2.0
// Unified memory: a memory as large as the host's share of it, of which a device's memory holds what was touched last.
// Pages that are not there fault and migrate over whatever lies between the two memories.
#pragma once
#include <memory>
#include <string>

#include "hw/common/error.h"
#include "hw/common/params.h"
#include "hw/common/probe.h"
#include "hw/common/statistics.h"
#include "hw/ports/at_initiator.h"
#include "hw/ports/at_target.h"

namespace memwall {

struct pager_params {
  std::string device, host;  ///< names of the memories
  byte_size size{0};         ///< of the managed memory; its home is the upper end of the host's memory
  byte_size device_size{0};  ///< upper end of the device's memory that pages may use; 0: all of it
  byte_size block{2 * 1048576.0};
  byte_size page{65536};
  double prefetch_threshold = 0.51;
  duration fault_latency{45e-6};
  std::int64_t batch = 256;
};
const param_table<pager_params>& pager_param_table();
/// Problems that one parameter alone does not show.
void check_pager_params(const pager_params& p, problem_list& problems, const std::string& where,
                        const std::string& path);

struct pager_report {
  std::uint64_t transfers = 0, errors = 0;
  std::int64_t hit_bytes = 0, fault_bytes = 0;  ///< asked for
  std::uint64_t batches = 0, faulted_pages = 0, prefetched_pages = 0, evicted_blocks = 0;
  std::int64_t migrated_in = 0, migrated_out = 0;  ///< bytes
  ps_t fault_time = 0, copy_time = 0;              ///< of the driver
  latency_summary wait;  ///< of the parts in each block of transfers that faulted, until their pages were there
  std::vector<histogram_bin> wait_histogram;
};

/// One driver that works through faults in batches: it takes what waits, spends `fault_latency`, then block by block
/// makes room (copies the pages of the oldest block back) and brings the pages; accesses go on as soon as their block
/// is there.
class pager : public sc_core::sc_module {
 public:
  pager(const sc_core::sc_module_name& name, const pager_params& p, int source);
  ~pager() override;

  at_target_port upstream;       ///< addresses from 0 to size - 1
  at_initiator_port downstream;  ///< to a bus that reaches both memories

  /// Where the memories are, before the simulation starts: addresses seen by `downstream`, and their sizes.
  void attach_device(std::uint64_t base, std::uint64_t size);
  void attach_host(std::uint64_t base, std::uint64_t size);

  pager_report report() const;
  probe_list probes();

 private:
  struct impl;
  std::unique_ptr<impl> m_impl;
};

}  // namespace memwall
