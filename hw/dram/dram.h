// SPDX-License-Identifier: Apache-2.0
// A DRAM as a TLM target: the SystemC shell around dram::memory.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/common/error.h"
#include "hw/common/params.h"
#include "hw/common/probe.h"
#include "hw/common/statistics.h"
#include "hw/dram/command.h"
#include "hw/dram/memory.h"
#include "hw/dram/standard.h"
#include "hw/ports/at_target.h"

namespace memwall {

/// Parameters of a DRAM module. The controller's own parameters are the sub-map `controller`
/// (dram::controller_table()).
struct dram_params {
  std::string standard = "DDR5-4800";  ///< a name (dram::standard_names()) or the path of a YAML file
  int channels = 1;
  std::string map;            ///< address map expression or name; "": the standard's default
  byte_size interleave{256};  ///< bytes to one channel before the next
  byte_size size{0};          ///< usable bytes, at most the capacity; 0: the capacity
  bit_rate data_rate{0};      ///< of a pin; 0: the standard's
  double timing_scale = 1;    ///< delays of cells and rows, times the standard's
  bool functional = false;    ///< keeps the bytes written (sparse pages); timing is the same either way
  dram::controller_params controller;
};
/// The table of the scalar parameters; `controller` is read by read_dram_params.
const param_table<dram_params>& dram_param_table();
dram_params read_dram_params(const config::node& map, problem_list& problems, const std::string& path,
                             const std::vector<std::string>& ignore = {});
/// The resolved values, `controller` included, readable back.
nlohmann::ordered_json write_dram_params(const dram_params& p);

/// Its standard, at the speed that the parameters ask for. Throws input_error.
dram::standard dram_standard(const dram_params& p);
/// Capacity of such a DRAM in bytes (p.size, or what the standard's organisation gives). Throws input_error.
std::uint64_t dram_size(const dram_params& p);
/// Peak bytes a second of all channels. Throws input_error.
double dram_peak_bytes_per_s(const dram_params& p);

/// What a DRAM module measured: picoseconds, bytes.
/// What a DRAM has counted so far, cheap to ask for.
struct dram_tally {
  std::uint64_t transfers = 0;
  ps_t busy_ps = 0;      ///< time with at least one transfer in flight
  ps_t withheld_ps = 0;  ///< time in which a request was withheld: no room
  dram::tally memory;    ///< of the engine
};

struct dram_report {
  std::string name;  ///< full name of the module
  std::string standard;
  int channels = 0;
  std::uint64_t size = 0;
  ps_t elapsed_ps = 0;
  double peak_bytes_per_s = 0;
  std::uint64_t transfers = 0, errors = 0;
  traffic_bytes read_bytes, write_bytes;  ///< as asked for
  ps_t busy_ps = 0;                       ///< time with at least one transfer in flight
  ps_t withheld_ps = 0;                   ///< time in which a request was withheld: no room
  ps_t claimed_ps = 0;                    ///< time in which the banks computed
  std::uint64_t delayed = 0;              ///< transfers that waited for computing banks
  ps_t delayed_ps = 0;                    ///< the sum of their waits
  latency_summary latency;                ///< request in to response out, of transfers
  std::vector<histogram_bin> latency_bins;
  dram::statistics memory;  ///< of the engine: commands, rows, bursts, time by cause
};

/// The engine seen from the shell: dram::memory, or a stand-in with the same contract (see dram/memory.h).
class dram_engine {
 public:
  virtual ~dram_engine() = default;
  virtual bool can_accept() const = 0;
  virtual void submit(const dram::transfer& t) = 0;
  virtual ps_t advance(ps_t now) = 0;
  virtual void take_completions(std::vector<dram::completion>& out) = 0;
  virtual dram::statistics stats(ps_t now) const = 0;
  virtual dram::tally tally(ps_t now) const {
    const dram::statistics all = stats(now);
    return static_cast<const dram::tally&>(all);
  }
  virtual void data_time(ps_t /*now*/, std::vector<ps_t>& out) const { out.clear(); }
  virtual void listen(dram::command_listener*) {}
  virtual int burst_bytes() const = 0;
  virtual double peak_bytes_per_s() const = 0;
};
std::unique_ptr<dram_engine> make_dram_engine(const dram_params& p);

/// One target socket; addresses from 0 to size() - 1. Requests beyond are answered with
/// TLM_ADDRESS_ERROR_RESPONSE, byte enables with TLM_BYTE_ENABLE_ERROR_RESPONSE, streaming with
/// TLM_BURST_ERROR_RESPONSE. When the engine has no room the end of the request is withheld. Responses carry
/// first_data (cut-through) and the share of each cause in the parts.
class dram_module : public sc_core::sc_module {
 public:
  dram_module(const sc_core::sc_module_name& name, const dram_params& params);
  /// With an engine of one's own, `size` bytes large.
  dram_module(const sc_core::sc_module_name& name, const dram_params& params, std::unique_ptr<dram_engine> engine,
              std::uint64_t size);
  ~dram_module() override;

  at_target_port port;

  std::uint64_t size() const;
  dram_report report() const;
  dram_tally counted() const;
  probe_list probes();
  void observe(transfer_observer* observer);
  /// Shows commands to `watcher` until it is full or turned off; until then the engine simulates every burst. Not
  /// owned.
  void watch(dram::command_watcher& watcher, bool on);
  /// Tells those that watch all commands up to now.
  void catch_up();
  /// By channel: the time up to now in which its data buses moved data (an average over its pseudo-channels).
  void data_time(std::vector<ps_t>& out) const;

  /// The banks compute for `source` from `granted` (called at once, or when the transfers taken so far are done) until
  /// release_banks(): meanwhile transfers of other sources are taken and wait, in order. A second claim waits for the
  /// first.
  void claim_banks(int source, std::function<void()> granted);
  void release_banks();
  /// Reads or writes bytes directly, as the debug transport does (only with `functional`; else reads give
  /// zeros).
  void load(std::uint64_t address, const unsigned char* data, std::uint64_t bytes);
  void store(std::uint64_t address, unsigned char* data, std::uint64_t bytes) const;

 private:
  struct impl;
  std::unique_ptr<impl> m_impl;
};

}  // namespace memwall
