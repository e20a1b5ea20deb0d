// SPDX-License-Identifier: Apache-2.0
#include "tools/validation_data.h"

#include <fmt/format.h>

#include <algorithm>

#include <cstdlib>
#include <filesystem>

#include "hw/common/config.h"
#include "hw/common/csv.h"
#include "hw/common/data_dir.h"
#include "hw/common/error.h"
#include "hw/common/quantity.h"
#include "models/dtype.h"
#include "platforms/describe/description.h"

namespace memwall::tools {
namespace {

/// Hands every record to `use`; the file must have exactly these columns.
template <class Use>
void read_csv(const std::string& path, const std::string& columns, Use use) {
  csv_reader in(path, "a table with the columns " + columns);
  if (const std::string head = fmt::format("{}", fmt::join(in.head(), ",")); head != columns)
    throw input_error(problem{in.where(), "", "has the columns '" + head + "'", columns, ""});
  for (std::vector<std::string> cells; in.next(cells);) use(cells, in.where());
}

std::int64_t integer(const std::string& text, const std::string& where) {
  char* end = nullptr;
  const long long v = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || v < 0)
    throw input_error(problem{where, "", "got '" + text + "'", "an integer, 0 or more", ""});
  return v;
}

double number(const std::string& text, const std::string& where) {
  char* end = nullptr;
  const double v = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(v >= 0))
    throw input_error(problem{where, "", "got '" + text + "'", "a number, 0 or more", ""});
  return v;
}

std::string text_at(const config::node& n, const char* key, bool required) {
  const config::node* v = n.find(key);
  if (v != nullptr && v->is_scalar()) return v->text();
  if (required) throw input_error(problem{n.where(), key, "is missing", "text", ""});
  return {};
}

std::vector<std::string> list_at(const config::node& n, const char* key) {
  std::vector<std::string> out;
  if (const config::node* v = n.find(key))
    for (const auto& [unused, item] : v->entries()) out.push_back(item.text());
  return out;
}

std::string carried(const std::string& file) {
  std::string path = data_path("platforms/validation/" + file);
  if (path.empty())
    throw input_error(problem{"platforms/validation/" + file, "", "is not among the data files",
                              "an installed memwall, or MEMWALL_DATA", ""});
  return path;
}

}  // namespace

std::string kind_of(const std::string& id) {
  std::uint32_t h = 2166136261U;
  for (const char c : id) h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
  return (h >> 8) % 6 == 0 ? "calibration" : "validation";
}

validation_data::validation_data()
    : validation_data(carried("measured.csv"), carried("kernels.csv"), carried("collectives.csv"),
                      carried("attention.csv"), carried("energy.csv"), carried("setups.yaml")) {
  for (const char* more : {"npu.csv", "racks.csv"}) read_measured(carried(more));
  read_experts(carried("experts.csv"));
}

validation_data::validation_data(const std::string& measured, const std::string& kernels,
                                 const std::string& collectives, const std::string& attention,
                                 const std::string& energy, const std::string& setups)
    : m_setups_file(setups) {
  read_measured(measured);
  read_csv(kernels, "id,hardware,m,k,n,dtype,time_us,source,kind",
           [&](const std::vector<std::string>& c, const std::string& w) {
             m_kernels.push_back(
                 {c[0], c[1], integer(c[2], w), integer(c[3], w), integer(c[4], w), c[5], number(c[6], w), c[7], c[8]});
           });
  read_csv(collectives, "id,hardware,bytes,time_us,source,kind",
           [&](const std::vector<std::string>& c, const std::string& w) {
             m_collectives.push_back({c[0], c[1], integer(c[2], w), number(c[3], w), c[4], c[5]});
           });
  read_csv(attention, "id,hardware,phase,heads,kv_heads,head_size,batch,length,dtype,time_us,source,kind",
           [&](const std::vector<std::string>& c, const std::string& w) {
             if (c[2] != "decode" && c[2] != "prefill")
               throw input_error(problem{w, "phase", "got '" + c[2] + "'", "decode or prefill", ""});
             m_attention.push_back({c[0], c[1], c[2], integer(c[3], w), integer(c[4], w), integer(c[5], w),
                                    integer(c[6], w), integer(c[7], w), c[8], number(c[9], w), c[10], c[11]});
           });
  read_csv(
      energy,
      "id,hardware,model,dtype,batch,prompt,context,generated,token_ms,watts,joules_per_token,software,source,kind",
      [&](const std::vector<std::string>& c, const std::string& w) {
        m_energy.push_back({c[0], c[1], c[2], c[3], integer(c[4], w), integer(c[5], w), integer(c[6], w),
                            integer(c[7], w), number(c[8], w), number(c[9], w), number(c[10], w), c[11], c[12], c[13]});
      });
  const config::node tree = config::node::parse_file(setups);
  const auto software = [&](const config::node& n, bool matched) {
    return software_entry{text_at(n, "match", matched), text_at(n, "hardware", false), text_at(n, "software", false),
                          text_at(n, "parallel", false), list_at(n, "set")};
  };
  for (const char* key : {"hardware", "software", "kernels", "byte_kernels", "attention"})
    if (tree.find(key) == nullptr)
      throw input_error(problem{setups, key, "is missing", "hardware, software, kernels, byte_kernels, attention", ""});
  for (const auto& [unused, n] : tree.find("hardware")->entries()) {
    const std::string devices = text_at(n, "devices", false);
    m_hardware.push_back({text_at(n, "match", true), text_at(n, "platform", true),
                          devices.empty() ? 0 : integer(devices, n.where()), list_at(n, "set")});
  }
  for (const auto& [unused, n] : tree.find("software")->entries()) m_software.push_back(software(n, true));
  m_kernel_software = software(*tree.find("kernels"), false);
  m_byte_kernel_software = software(*tree.find("byte_kernels"), false);
  for (const auto& [unused, n] : tree.find("attention")->entries()) m_attention_software.push_back(software(n, false));
  if (const config::node* experts = tree.find("experts"); experts != nullptr)
    for (const auto& [unused, n] : experts->entries()) m_expert_software.push_back(software(n, true));
  m_per_device = list_at(tree, "per_device");
  m_board = list_at(tree, "board");
}

void validation_data::read_experts(const std::string& file) {
  read_csv(file, "id,hardware,tokens,experts,choices,hidden,ffn,dtype,tiles,time_us,source,kind",
           [&](const std::vector<std::string>& c, const std::string& w) {
             m_experts.push_back({c[0], c[1], integer(c[2], w), integer(c[3], w), integer(c[4], w), integer(c[5], w),
                                  integer(c[6], w), c[7], c[8], number(c[9], w), c[10], c[11]});
           });
}

void validation_data::read_measured(const std::string& file) {
  read_csv(file,
           "id,category,hardware,model,dtype,batch,prompt,context,generated,chunk,reserve_mib,metric,value,unit,"
           "software,source,trust,kind,set",
           [&](const std::vector<std::string>& c, const std::string& w) {
             m_rows.push_back({c[0], c[1], c[2], c[3], c[4], integer(c[5], w), integer(c[6], w), integer(c[7], w),
                               integer(c[8], w), integer(c[9], w), integer(c[10], w), c[11], number(c[12], w), c[13],
                               c[14], c[15], c[16], c[17], c[18]});
           });
}

const validation_data::hardware_entry* validation_data::entry_of(const std::string& hardware) const {
  for (const auto& h : m_hardware)
    // A name may hold brackets: compare it literally first.
    if (h.match == hardware || platforms::matches_glob(h.match, hardware)) return &h;
  return nullptr;
}

const validation_data::software_entry& validation_data::software_of(const std::string& software,
                                                                    const std::string& hardware) const {
  for (const auto& s : m_software)
    if ((s.match == software || platforms::matches_glob(s.match, software)) &&
        (s.hardware.empty() || platforms::matches_glob(s.hardware, hardware)))
      return s;
  throw input_error(problem{m_setups_file, "software", "no entry matches '" + software + "'", "an entry for it", ""});
}

setup validation_data::combine(const std::string& hardware, const software_entry& s, std::int64_t reserve_mib) const {
  const hardware_entry* found = entry_of(hardware);
  if (found == nullptr)
    throw input_error(problem{m_setups_file, "hardware", "no entry matches '" + hardware + "'", "an entry for it", ""});
  const hardware_entry& h = *found;
  setup out;
  out.platform = h.platform;
  if (!s.software.empty()) out.sets.push_back("software=" + s.software);
  if (h.devices > 0 || reserve_mib > 0) {
    const auto d = platforms::load_platform(h.platform);
    for (const auto& name : m_per_device)
      if (h.devices > 0 && !d.group(name).empty()) out.sets.push_back(fmt::format("{}.count={}", name, h.devices));
    if (reserve_mib > 0) {
      // What the runtime keeps for itself comes off the device's memory.
      const std::string memory = d.mapping.front().weights;
      const auto* size = d.group(memory).front()->tree.find("size");
      double bytes = 0;
      std::string expected;
      if (size == nullptr || !parse_quantity(size->text(), "size", bytes, expected))
        throw input_error(problem{h.platform, memory + ".size", "is missing",
                                  "the device's memory, to take the runtime's workspace from", ""});
      out.sets.push_back(
          fmt::format("{}.size={} MiB", memory, static_cast<std::int64_t>(bytes / 1048576) - reserve_mib));
    }
  }
  out.sets.insert(out.sets.end(), h.sets.begin(), h.sets.end());
  if (!s.parallel.empty() && h.devices > 1) out.sets.push_back("parallel=" + s.parallel);
  out.sets.insert(out.sets.end(), s.sets.begin(), s.sets.end());
  return out;
}

setup validation_data::setup_of(const measured_row& r) const {
  return combine(r.hardware, software_of(r.software, r.hardware), r.reserve_mib);
}

setup validation_data::setup_of(const energy_row& r) const {
  return combine(r.hardware, software_of(r.software, r.hardware), 0);
}

std::int64_t validation_data::boards(const std::string& hardware) const {
  const hardware_entry* h = entry_of(hardware);
  return h == nullptr ? 1 : std::max<std::int64_t>(1, h->devices);
}

bool validation_data::on_a_board(const std::string& component) const {
  const std::string module = component.substr(0, component.find_first_of("0123456789."));
  return std::find(m_board.begin(), m_board.end(), module) != m_board.end();
}

std::map<std::int64_t, double> energy_row::steps() const {
  if (prompt == 0) return {{0, 1.0}};
  const std::int64_t fewer = batch / generated;
  const double more = static_cast<double>(batch % generated) / static_cast<double>(generated);
  std::map<std::int64_t, double> out{{fewer, 1 - more}};
  if (more > 0) out[fewer + 1] = more;
  return out;
}

run_words validation_data::step_of(const energy_row& r) const {
  const setup s = setup_of(r);
  run_words w{"run",
              "--platform",
              s.platform,
              "--model",
              r.model,
              "--dtype",
              r.dtype,
              "--batch",
              std::to_string(r.batch),
              "--phase",
              "decode",
              "--context",
              std::to_string(r.context),
              "--tokens",
              "1"};
  for (const auto& set : s.sets) w.insert(w.end(), {"--set", set});
  return w;
}

run_words validation_data::step_of(const energy_row& r, const std::string& trace_file) const {
  const setup s = setup_of(r);
  run_words w{"run", "--platform", s.platform, "--trace", trace_file};
  for (const auto& set : s.sets) w.insert(w.end(), {"--set", set});
  w.insert(w.end(), {"--set", "gpu.step_overhead=0 us"});
  return w;
}

setup validation_data::setup_of_kernels(const std::string& hardware) const {
  return combine(hardware, m_kernel_software, 0);
}

setup validation_data::setup_of(const kernel_row& k) const {
  return combine(k.hardware, dtype::parse(k.dtype).bits() <= 8 ? m_byte_kernel_software : m_kernel_software, 0);
}

setup validation_data::setup_of(const attention_row& r) const {
  for (const auto& s : m_attention_software)
    if (s.hardware.empty() || platforms::matches_glob(s.hardware, r.hardware)) return combine(r.hardware, s, 0);
  throw input_error(problem{m_setups_file, "attention", "no entry for '" + r.hardware + "'", "an entry for it", ""});
}

setup validation_data::setup_of(const expert_row& r) const {
  for (const auto& s : m_expert_software)
    if (s.match == r.tiles) return combine(r.hardware, s, 0);
  throw input_error(problem{m_setups_file, "experts", "no entry for tiles '" + r.tiles + "'", "an entry for it", ""});
}

std::pair<run_words, run_words> validation_data::runs_of(const measured_row& r) const {
  const setup s = setup_of(r);
  const auto words = [&](const char* phase) {
    run_words w{
        "run",     "--platform", s.platform, "--model", r.model, "--dtype", r.dtype, "--batch", std::to_string(r.batch),
        "--phase", phase};
    for (const auto& set : s.sets) w.insert(w.end(), {"--set", set});
    return w;
  };
  std::pair<run_words, run_words> out;
  if (r.prompt > 0) {
    out.first = words("prefill");
    out.first.insert(out.first.end(), {"--prompt", std::to_string(r.prompt)});
    if (r.chunk > 0) out.first.insert(out.first.end(), {"--prefill-chunk", std::to_string(r.chunk)});
  }
  if (r.context > 0) {
    out.second = words("decode");
    out.second.insert(out.second.end(), {"--context", std::to_string(r.context), "--tokens", "1"});
  }
  return out;
}

double validation_data::value_of(const measured_row& r, double prefill_s, double decode_s) {
  const auto b = static_cast<double>(r.batch), p = static_cast<double>(r.prompt), g = static_cast<double>(r.generated);
  // The prompt's pass yields the first token.
  const double total = prefill_s + (prefill_s > 0 ? g - 1 : g) * decode_s;
  if (r.metric == "decode_tokens_per_s") return b / decode_s;
  if (r.metric == "prefill_tokens_per_s") return b * p / prefill_s;
  if (r.metric == "first_token_ms") return prefill_s * 1e3;
  if (r.metric == "token_ms") return decode_s * 1e3;
  if (r.metric == "token_ms_per_sequence") return decode_s * 1e3 / b;
  if (r.metric == "total_ms") return total * 1e3;
  if (r.metric == "generated_tokens_per_s") return b * g / total;
  if (r.metric == "total_tokens_per_s") return b * (p + g) / total;
  throw input_error(
      problem{r.id, "metric", "unknown metric '" + r.metric + "'", "see platforms/validation/README.md", ""});
}

}  // namespace memwall::tools
