// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/bank_view.h"
#include "hw/dram/channel_trace.h"
#include "hw/dram/dram.h"
#include "hw/dram/energy.h"
#include "hw/dram/standard.h"
#include "platforms/build/hardware.h"
#include "platforms/build/section_figures.h"

namespace memwall::platforms {
namespace {

class dram_hardware final : public hardware {
 public:
  dram_hardware(const module_description& d, const dram_params& p)
      : hardware(d), m_params(p), m_standard(dram_standard(p)), m_dram(d.name.c_str(), p), m_facts(facts()) {}
  tlm::tlm_target_socket<>* target() override { return &m_dram.port; }
  std::optional<memory_facts> memory() const override { return m_facts; }
  json config() const override { return write_dram_params(m_params); }
  result_section section() const override { return result_section::memories; }
  json report(ps_t elapsed) const override {
    const dram_report r = seen();
    const auto& m = r.memory;
    const double seconds = static_cast<double>(elapsed) * 1e-12;
    const auto moved = static_cast<double>(m.bytes_read + m.bytes_written);
    memory_figures out;
    out.name = name();
    out.standard = r.standard;
    out.channels = r.channels;
    out.devices = static_cast<double>(r.channels) / m_standard.channels_per_device;
    out.capacity_bytes = static_cast<std::int64_t>(r.size);
    out.peak_bytes_per_s = r.peak_bytes_per_s;
    out.read_bytes = m.bytes_read;
    out.write_bytes = m.bytes_written;
    out.asked_read_bytes = r.read_bytes.sum();
    out.asked_write_bytes = r.write_bytes.sum();
    out.bandwidth_bytes_per_s = seconds > 0 ? moved / seconds : 0.0;
    out.utilization = seconds > 0 ? moved / seconds / r.peak_bytes_per_s : 0.0;
    out.busy_ns = ns(r.busy_ps);
    if (r.claimed_ps > 0)
      out.banks =
          json{{"computing_ns", ns(r.claimed_ps)}, {"delayed_transfers", r.delayed}, {"delayed_ns", ns(r.delayed_ps)}};
    out.latency_ns = latency_json(r.latency, r.latency_bins);
    out.row = json{{"hit", m.row_hits}, {"miss", m.row_misses}, {"conflict", m.row_conflicts}};
    json commands = json::object();
    for (std::size_t c = 0; c < dram::command_count; ++c)
      if (m.commands[c] != 0) commands[dram::command_name(static_cast<dram::command>(c))] = m.commands[c];
    if (!commands.empty()) out.commands = std::move(commands);
    double total = 0;
    for (const auto& [kind, pj] : energy_parts(elapsed)) {
      out.energy_pj[kind] = pj;
      total += pj;
    }
    out.energy_pj["total"] = total;
    if (const auto source = m_standard.sources.find("energy.read"); source != m_standard.sources.end())
      out.energy_confidence = source->second.confidence;
    out.time_by_cause_ns = cause_json(m.by_cause);
    out.bottleneck = dram::bottleneck_line(m);
    return memory_table().write(out);
  }
  double energy_pj(ps_t elapsed) const override {
    double sum = 0;
    for (const auto& [unused, pj] : energy_parts(elapsed)) sum += pj;
    return sum;
  }
  energy_goes_with goes_with(const std::string& part) const override {
    return part == "refresh" || part == "background" ? energy_goes_with::time : energy_goes_with::what_is_done;
  }
  std::vector<std::pair<std::string, double>> energy_parts(ps_t elapsed) const override;
  traffic_bytes bytes() const override {
    const dram_report r = seen();
    traffic_bytes b = r.read_bytes;
    b += r.write_bytes;
    return b;
  }
  std::uint64_t bursts() const override {
    const auto m = m_dram.report().memory;  // that were simulated
    return static_cast<std::uint64_t>(m.reads + m.writes);
  }
  bool count(tally_figures& out) const override {
    out = figures_of(m_dram.counted());
    return true;
  }
  double passes() const override { return dram_peak_bytes_per_s(m_params); }
  probe_list probes() override { return m_dram.probes(); }
  void observe(transfer_observer* o) override { m_dram.observe(o); }
  int detail_units() const override { return m_params.channels; }
  std::vector<detail_group> make_detail(const std::vector<int>& units, std::int64_t commands) override {
    m_view = std::make_unique<dram::bank_view>(m_standard, units, commands);
    std::vector<detail_group> out;
    for (auto& c : m_view->probes()) out.push_back({c.name, c.probes});
    return out;
  }
  void make_detail(const std::vector<int>& units, std::int64_t commands, transfer_observer& to) override {
    m_trace = std::make_unique<dram::channel_trace>(name(), m_standard, units, commands, to);
  }
  void show_detail(viewer v, bool on) override {
    if (auto* w = watcher(v); w != nullptr) m_dram.watch(*w, on && !w->full());
  }
  ps_t detail_spent(viewer v) const override { return watcher(v) != nullptr ? watcher(v)->spent() : never; }
  void data_time(std::vector<ps_t>& out) const override { m_dram.data_time(out); }
  void catch_up() override { m_dram.catch_up(); }
  void claim(int source, std::function<void()> granted) override { m_dram.claim_banks(source, std::move(granted)); }
  void release() override { m_dram.release_banks(); }

 private:
  memory_facts facts() const {
    memory_facts f;
    f.capacity = static_cast<std::int64_t>(m_dram.size());
    f.burst = m_standard.org.access_bytes();
    f.stripe = m_params.channels * std::max<std::int64_t>(to_bytes(m_params.interleave), f.burst);
    const auto& t = m_standard.t;
    f.unloaded_latency = static_cast<ps_t>((t.RCDRD + t.CL + t.BL) * t.tck_fs / 1000) +
                         memwall::to_ps(m_params.controller.front_end) + memwall::to_ps(m_params.controller.back_end);
    f.peak_bandwidth = dram_peak_bytes_per_s(m_params);
    const auto& e = m_standard.energy;
    f.byte_pj = e.act_pj / static_cast<double>(m_standard.org.row_bytes()) +
                (e.read_pj + e.io_read_pj) / static_cast<double>(f.burst);
    return f;
  }
  dram_report seen() const {
    dram_report r = m_dram.report();
    const int ranks = r.memory.channels / m_standard.org.pseudo_channels * m_standard.org.ranks;
    return with_unseen(std::move(r), m_unseen, ranks, m_estimated ? &*m_estimated : nullptr);
  }
  dram::command_watcher* watcher(viewer v) const {
    if (v == viewer::waveform) return m_view.get();
    return m_trace.get();
  }

  dram_params m_params;
  dram::standard m_standard;
  dram_module m_dram;
  memory_facts m_facts;
  std::unique_ptr<dram::bank_view> m_view;
  std::unique_ptr<dram::channel_trace> m_trace;
};

std::vector<std::pair<std::string, double>> dram_hardware::energy_parts(ps_t) const {
  const auto e = dram::energy_of(seen().memory, m_standard);
  return {{"activate", e.activate},    {"read", e.read}, {"write", e.write}, {"io", e.io}, {"refresh", e.refresh},
          {"background", e.background}};
}

/// The file or option a value was read from, without the line.
std::string source_of(const config::node& n) {
  const std::string where = n.where();
  return where.rfind("--set", 0) == 0 ? "--set" : where.substr(0, where.rfind(':'));
}

/// A size that a platform gives for its own channels says nothing about fewer of them, which a file or option on top
/// asks for: then the memory is as large as they are.
void fit_size(const module_description& d, dram_params& p, build_context& context) {
  const config::node *size = d.tree.find("size"), *type = d.tree.find("type");
  const auto capacity = static_cast<double>(dram::load_standard(p.standard).org.capacity_bytes() * p.channels);
  if (size == nullptr || type == nullptr || p.size.value <= capacity) return;
  const std::string given = source_of(*size), first = source_of(*type);
  for (const char* key : {"channels", "standard"}) {
    const config::node* other = d.tree.find(key);
    const std::string on_top = other != nullptr ? source_of(*other) : given;
    const bool later = on_top != given && (on_top == "--set" || given == first);
    if (!later) continue;
    const auto text = [](double bytes) { return format_quantity(bytes, "size"); };
    context.note("modules." + d.name + ".size: " + text(capacity) + ", all that " + std::to_string(p.channels) +
                 " channels of " + p.standard + " hold (" + text(p.size.value) + " of " + size->where() +
                 " was for others)");
    p.size.value = capacity;
    return;
  }
}

const hardware_entry entry{
    "dram",
    "DRAM: channels of a standard behind a controller each",
    {[](const module_description& d, build_context& context, problem_list& problems) -> std::unique_ptr<hardware> {
       problem_list mine;
       dram_params p = read_dram_params(d.tree, mine, "modules." + d.group, {"type", "count", "address"});
       if (!mine.empty()) return problems.add(mine), nullptr;
       fit_size(d, p, context);
       p.controller.replay = p.controller.replay && context.replay;
       return std::make_unique<dram_hardware>(d, p);
     },
     [] {
       auto out = dram_param_table().describe();
       for (auto& p : dram::controller_table().describe()) {
         p.name = "controller." + p.name;
         out.push_back(p);
       }
       return out;
     }}};

}  // namespace
}  // namespace memwall::platforms
