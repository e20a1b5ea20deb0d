// SPDX-License-Identifier: Apache-2.0
// A module of a platform as the builder sees it: how to wire it, what it holds, what it measured. Each kind of module
// (dram, bus, link, cores, ...) is one file in platforms/kinds and registers itself; an outside project adds its own.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "hw/common/params.h"
#include "hw/common/probe.h"
#include "hw/common/registry.h"
#include "hw/common/statistics.h"
#include "hw/ports/at_initiator.h"
#include "hw/ports/at_target.h"
#include "platforms/build/result_section.h"
#include "platforms/build/unseen.h"
#include "platforms/describe/description.h"

namespace memwall {
class bus;
class stream_core;
}  // namespace memwall

namespace memwall::platforms {

using json = nlohmann::ordered_json;

/// What a module that holds data tells the placement.
struct memory_facts {
  std::int64_t capacity = 0;  ///< bytes
  std::int64_t stripe = 64;   ///< bytes that load every channel equally
  std::int64_t burst = 64;    ///< bytes of one access
  ps_t unloaded_latency = 0;  ///< of one access, to its last data beat
  bool in_core = false;       ///< compute-in-memory arrays: weights are used where they are
  bool may_fault = false;     ///< an access may take many times unloaded_latency: what it wants has to be fetched first
  double peak_bandwidth = 0;  ///< bytes a second of all its pins; 0: not stated
  double byte_pj = 0;         ///< energy of a byte of a stream that reads whole rows, beside what idle memory takes
};

/// What an energy grows with: operators and bytes; the time that was simulated (refresh); the time that a core was at
/// work (its clocks).
enum class energy_goes_with { what_is_done, time, work };

class hardware {
 public:
  explicit hardware(const module_description& d) : m_name(d.name), m_type(d.type) {}
  virtual ~hardware() = default;
  hardware(const hardware&) = delete;
  hardware& operator=(const hardware&) = delete;

  const std::string& name() const { return m_name; }
  const std::string& type() const { return m_type; }

  // Wiring. A module that sends requests has an initiator socket, one that answers has a target socket; links have
  // both.
  virtual tlm::tlm_initiator_socket<>* initiator() { return nullptr; }
  virtual tlm::tlm_target_socket<>* target() { return nullptr; }
  virtual bus* as_bus() { return nullptr; }
  virtual stream_core* as_core() { return nullptr; }
  virtual std::optional<memory_facts> memory() const { return std::nullopt; }
  /// Time a request and its response spend here without any contention (buses, links).
  virtual ps_t hop_latency() const { return 0; }

  virtual json config() const = 0;  ///< resolved parameters, readable back
  /// Which list of the result it belongs to, and its entry: what that section's table writes (section_figures.h).
  virtual result_section section() const { return result_section::others; }
  virtual json report(ps_t elapsed) const = 0;
  virtual double energy_pj(ps_t elapsed) const = 0;
  virtual std::vector<std::pair<std::string, double>> energy_parts(ps_t elapsed) const {
    return {{m_name, energy_pj(elapsed)}};
  }
  /// What a part of it grows with, but for what `elapsed` alone costs.
  virtual energy_goes_with goes_with(const std::string& /*part*/) const { return energy_goes_with::what_is_done; }
  /// Where to count what came from `from` (the neighbour on the way) and first from `core` without being simulated: a
  /// reused operator's bytes. What is reported counts them like those that were. The reference stays valid.
  moved_bytes& unseen(const std::string& from, const std::string& core) { return m_unseen[told_as(from, core)]; }
  /// Of a DRAM: what it has counted so far beside bytes. False: it is none.
  virtual bool count(tally_figures& /*out*/) const { return false; }
  /// What it would have counted if everything had been simulated: what is reported from now on.
  void estimated(tally_figures all) { m_estimated = std::move(all); }
  /// Bytes a second that can come through, in one direction; 0: not stated.
  virtual double passes() const { return 0; }

  /// Bytes moved by class (memories: at the memory), for the conservation law. Reads and writes together.
  virtual traffic_bytes bytes() const { return {}; }

  /// Bursts served (memories): the host's unit of work.
  virtual std::uint64_t bursts() const { return 0; }

  virtual probe_list probes() { return {}; }
  virtual void observe(transfer_observer*) {}
  // Detail that costs time while it is on (commands and banks of a DRAM): made once, on in windows of a waveform or a
  // timeline.
  enum class viewer { waveform, timeline };
  struct detail_group {
    std::string name;  ///< inside the module
    probe_list probes;
  };
  /// How many of something the detail can be had of (channels); 0: there is none.
  virtual int detail_units() const { return 0; }
  /// Probes of some of them, for a waveform. The detail is on for `commands` at most.
  virtual std::vector<detail_group> make_detail(const std::vector<int>& /*units*/, std::int64_t /*commands*/) {
    return {};
  }
  /// The same for a timeline, told to `to`.
  virtual void make_detail(const std::vector<int>& /*units*/, std::int64_t /*commands*/, transfer_observer& /*to*/) {}
  virtual void show_detail(viewer, bool /*on*/) {}
  virtual ps_t detail_spent(viewer) const { return never; }  ///< since when it has had all its commands
  virtual void catch_up() {}                                 ///< tells everything up to now
  /// By channel: the time up to now in which its data bus moved data. Empty: no channels.
  virtual void data_time(std::vector<ps_t>& out) const { out.clear(); }
  /// A memory whose banks compute for `source` between granted() and release(): others wait (dram_module::claim_banks).
  virtual void claim(int /*source*/, std::function<void()> granted) { granted(); }
  virtual void release() {}
  /// Parameters that name memories whose addresses the module needs (a generator, a pager), and their values; attach()
  /// gives what is known of each before the simulation starts.
  virtual std::vector<std::pair<std::string, std::string>> wants_memories() const { return {}; }
  virtual void attach(const std::string& /*param*/, std::uint64_t /*base*/, const memory_facts& /*facts*/,
                      problem_list& /*problems*/) {}
  /// Called once before the simulation ends: a generator stops asking.
  virtual void stop() {}

 protected:
  /// What its report calls a sender.
  virtual const std::string& told_as(const std::string& from, const std::string& /*core*/) const { return from; }
  unseen_traffic m_unseen;
  std::optional<tally_figures> m_estimated;

 private:
  std::string m_name, m_type;
};

/// Settings of a run that modules need when they are made.
struct build_context {
  bool replay = true;
  std::uint64_t seed = 1;
  /// Who has which initiator id (`transfer_info::source`): ids are given in the order of the file.
  std::shared_ptr<std::vector<std::string>> sources = std::make_shared<std::vector<std::string>>();
  int new_source(const std::string& name) const {
    return sources->push_back(name), static_cast<int>(sources->size()) - 1;
  }
  std::uint64_t address = 0;  ///< base of this module's addresses
  /// What was settled in another way than the description says; part of the result.
  std::shared_ptr<std::vector<std::string>> notes = std::make_shared<std::vector<std::string>>();
  void note(std::string text) const { notes->push_back(std::move(text)); }
};

struct hardware_kind {
  std::function<std::unique_ptr<hardware>(const module_description&, build_context&, problem_list&)> make;
  std::function<std::vector<param_info>()> describe;
};

/// dram, sram, bus, link, traffic_generator; core kinds are found in core_kinds().
registry<hardware_kind>& hardware_kinds();
using hardware_entry = registered<&hardware_kinds>;
/// The module a description asks for. Problems (unknown type, wrong parameters) are collected; then the result is null.
std::unique_ptr<hardware> make_hardware(const module_description& d, build_context& context, problem_list& problems);
/// Parameters of a module type.
std::vector<param_info> describe_hardware(const std::string& type);
std::vector<std::string> hardware_types();

inline double ns(ps_t t) {
  return static_cast<double>(t) / 1000.0;
}
/// {mean, p50, p90, p99, max, histogram: [[upper, count], ...]} in nanoseconds.
json latency_json(const latency_summary& s, const std::vector<histogram_bin>& bins = {});
/// Times by cause, by name, in nanoseconds; nothing where all are 0.
std::optional<json> cause_json(const stall_stack& parts);
/// Bytes by class, by name.
json bytes_json(const traffic_bytes& b);

}  // namespace memwall::platforms
