// SPDX-License-Identifier: Apache-2.0
// The parameters of the DRAM module, and dram::memory as its engine.
#include "hw/dram/dram.h"

#include "hw/dram/rescale.h"

namespace memwall {

const param_table<dram_params>& dram_param_table() {
  static const auto table =
      param_table<dram_params>("dram")
          .add("standard", &dram_params::standard, "name of a standard, or the path of a YAML file with one")
          .add("channels", &dram_params::channels,
               "independent channels: each has a command bus and a data bus of its own")
          .range(1, dram::most_channels)
          .add("map", &dram_params::map, "address map, as an expression or a name; empty: the standard's default")
          .add("interleave", &dram_params::interleave, "bytes to one channel before the next")
          .range(byte_size(16), byte_size(1ull << 30))
          .add("size", &dram_params::size, "usable bytes; 0 B: all that the channels hold")
          .range(byte_size(0), byte_size(1ull << 50))
          .add(
              "data_rate", &dram_params::data_rate,
              "bits a second of a pin where it is not the standard's; delays of rows and cells keep their nanoseconds; "
              "0 bps: the standard's")
          .range(bit_rate(0), bit_rate(100e9))
          .add("timing_scale", &dram_params::timing_scale,
               "delays of rows and cells (activation, precharge, column access, write recovery, refresh command) times "
               "this; bursts and the interval of refreshes stay")
          .range(0.01, 100.0)
          .add("functional", &dram_params::functional, "keep the bytes written; timing does not change");
  return table;
}

dram_params read_dram_params(const config::node& map, problem_list& problems, const std::string& path,
                             const std::vector<std::string>& ignore) {
  dram_params p;
  auto others = ignore;
  others.emplace_back("controller");
  dram_param_table().read(map, p, problems, path, others);
  if (const auto* controller = map.find("controller"); controller != nullptr)
    dram::controller_table().read(*controller, p.controller, problems,
                                  path.empty() ? "controller" : path + ".controller");
  return p;
}

nlohmann::ordered_json write_dram_params(const dram_params& p) {
  auto out = dram_param_table().write(p);
  out["controller"] = dram::controller_table().write(p.controller);
  return out;
}

namespace {

dram::address_map map_of(const dram_params& p, const dram::standard& s) {
  dram::address_map_params m;
  m.expression = p.map.empty() ? s.default_map : p.map;
  m.channels = p.channels;
  m.interleave = to_bytes(p.interleave);
  return {m, s.org};
}

class memory_engine final : public dram_engine {
 public:
  memory_engine(const dram::standard& s, const dram_params& p) : m_memory(s, map_of(p, s), p.controller) {}
  bool can_accept() const override { return m_memory.can_accept(); }
  void submit(const dram::transfer& t) override { m_memory.submit(t); }
  ps_t advance(ps_t now) override { return m_memory.advance(now); }
  void take_completions(std::vector<dram::completion>& out) override { m_memory.take_completions(out); }
  dram::statistics stats(ps_t now) const override { return m_memory.stats(now); }
  dram::tally tally(ps_t now) const override { return m_memory.tally(now); }
  void data_time(ps_t now, std::vector<ps_t>& out) const override { m_memory.data_time(now, out); }
  void listen(dram::command_listener* l) override { m_memory.listen(l); }
  int burst_bytes() const override { return m_memory.spec().org.access_bytes(); }
  double peak_bytes_per_s() const override { return m_memory.spec().peak_bytes_per_s() * m_memory.channels(); }

 private:
  dram::memory m_memory;
};

}  // namespace

dram::standard dram_standard(const dram_params& p) {
  return dram::rescale(dram::load_standard(p.standard), p.data_rate.value, p.timing_scale);
}

std::unique_ptr<dram_engine> make_dram_engine(const dram_params& p) {
  return std::make_unique<memory_engine>(dram_standard(p), p);
}

std::uint64_t dram_size(const dram_params& p) {
  const auto s = dram_standard(p);
  const std::int64_t capacity = s.org.capacity_bytes() * p.channels, asked = to_bytes(p.size);
  if (asked > capacity)
    throw input_error(problem{"", "size", "got " + format_quantity(p.size.value, "size"),
                              "no size (all there is), or at most what " + std::to_string(p.channels) +
                                  " channels of " + s.name + " hold, " +
                                  format_quantity(static_cast<double>(capacity), "size"),
                              ""});
  return static_cast<std::uint64_t>(asked > 0 ? asked : capacity);
}

double dram_peak_bytes_per_s(const dram_params& p) {
  return dram_standard(p).peak_bytes_per_s() * p.channels;
}

dram_module::dram_module(const sc_core::sc_module_name& name, const dram_params& params)
    : dram_module(name, params, make_dram_engine(params), dram_size(params)) {}

}  // namespace memwall
