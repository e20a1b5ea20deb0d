// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/standard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "hw/common/config.h"
#include "hw/common/data_dir.h"
#include "hw/common/error.h"
#include "hw/common/params.h"
#include "hw/common/quantity.h"
#include "hw/dram/standard_reader.h"

namespace memwall::dram {
namespace {

using config::node;

constexpr const char* folder = "hw/dram/standards";

const std::vector<std::string> groups = {"organisation", "timing", "energy", "idd"};

/// Every value of the groups becomes [value, source], so that merging cannot lend a value another file's
/// source.
void spell_out_sources(node& file, problem_list& problems) {
  const node* legend = file.find("sources");
  for (const auto& name : groups) {
    node* group = file.find(name);
    if (group == nullptr) continue;
    if (!group->is_map()) {
      problems.add({group->where(), name, "is not a map", "a map of values", ""});
      file.erase(name);
      continue;
    }
    std::string fallback = legend == nullptr ? "user" : "";
    if (const node* s = group->find("source")) fallback = s->text();
    group->erase("source");
    for (auto& [key, value] : group->entries()) {
      const std::string path = name + "." + key;
      std::string source = fallback;
      node number = value;
      if (value.is_sequence() && (value.entries().size() == 2 || value.entries().size() == 3)) {
        number = value.entries()[0].second;
        source = value.entries()[1].second.text();
      }
      if (!number.is_scalar())
        problems.add({value.where(), path, "is no value", "a value, or [value, source]", ""});
      else if (source.empty())
        problems.add({value.where(), path, "has no source", "[value, source], or a `source:` for the whole group", ""});
      else if (source != "user" && (legend == nullptr || legend->find(source) == nullptr)) {
        std::vector<std::string> known;
        if (legend != nullptr)
          for (const auto& [k, unused] : legend->entries()) known.push_back(k);
        problems.add({value.where(), path, "unknown source '" + source + "'", "a key of `sources`",
                      nearest_name(source, known)});
      }
      node text = node::sequence(value.where());
      text.append(number);
      text.append(node::scalar(source, value.where()));
      value = text;
    }
  }
}

/// Delays that a base gives in clocks, in the time that so many of its clocks are. What bursts take stays in clocks.
void spell_out_delays(node& timing, double tck_ps) {
  static const std::set<std::string> delays = {
      "CL",    "CWL", "RCD",   "RCDRD", "RCDWR", "RP", "RPab", "RAS", "RC",    "CCD_L", "CCD_L_WR", "RRD_S",
      "RRD_L", "FAW", "WTR_S", "WTR_L", "RTP",   "WR", "RTW",  "RFC", "RFCpb", "RREFD", "REFI",     "REFIpb"};
  for (auto& [key, value] : timing.entries()) {
    if (delays.count(key) == 0 || value.entries().empty()) continue;
    node& number = value.entries()[0].second;
    std::int64_t clocks = 0;
    if (!number.is_scalar() || !detail::read_integer(number.text(), 1, INT32_MAX, clocks)) continue;
    number = node::scalar(fmt::format("{} ps", static_cast<double>(clocks) * tck_ps), number.where());
  }
}

/// Picoseconds of a clock of a file with its bases; 0 where it does not say.
double clock_of(const node& file) {
  const auto text = [](const node* n) {
    return n == nullptr ? std::string() : n->is_scalar() ? n->text() : n->entries().at(0).second.text();
  };
  double v = 0, beats = 0;
  std::string unused;
  if (const node* timing = file.find("timing");
      timing != nullptr && parse_quantity(text(timing->find("tCK")), "time", v, unused))
    return v * 1e12;
  const node* organisation = file.find("organisation");
  if (organisation == nullptr || !parse_quantity(text(file.find("data_rate")), "bit rate", v, unused) || v <= 0 ||
      !detail::read_number(text(organisation->find("beats_per_clock")), beats))
    return 0;
  return beats / v * 1e12;
}

/// A derived file that runs at another data rate keeps the nanoseconds of its base: those values are no
/// longer anybody's.
void mark_scaled(node& base, const node& over) {
  if (over.find("data_rate") == nullptr) return;
  const node* timing_over = over.find("timing");
  node* mine = base.find("timing");
  if (mine == nullptr) return;
  if (const double tck_ps = clock_of(base); tck_ps > 0) spell_out_delays(*mine, tck_ps);
  if (timing_over == nullptr || timing_over->find("tCK") == nullptr) mine->erase("tCK");
  for (auto& [key, value] : mine->entries()) {
    if (value.entries().size() == 3) continue;  // already marked
    value.append(node::scalar("scaled", value.where()));
  }
}

std::string path_of(const std::string& name) {
  if (name.find('/') != std::string::npos || (name.size() > 5 && name.substr(name.size() - 5) == ".yaml")) return name;
  const auto file_of = [](const std::string& n) { return data_path(std::string(folder) + "/" + n + ".yaml"); };
  if (std::string path = file_of(name); !path.empty()) return path;
  const auto names = standard_names();
  // "gddr7" is GDDR7-28 as long as it is the only one.
  const auto equal = [](const std::string& a, const std::string& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](unsigned char x, unsigned char y) { return std::toupper(x) == std::toupper(y); });
  };
  std::vector<std::string> found;
  for (const auto& n : names)
    if (equal(n, name)) return file_of(n);
  for (const auto& n : names)
    if (n.size() > name.size() && n[name.size()] == '-' && equal(n.substr(0, name.size()), name)) found.push_back(n);
  if (found.size() == 1) return file_of(found[0]);
  throw input_error(problem{"", "standard", "unknown DRAM standard '" + name + "'",
                            "one of: " + joined(names) + "; or the path of a YAML file", nearest_name(name, names)});
}

config::named_tree read_file(const std::string& path, problem_list& problems) {
  node file = node::parse_file(path, "a DRAM standard");
  if (!file.is_map()) throw input_error(problem{path, "", "is not a map", "a DRAM standard", ""});
  spell_out_sources(file, problems);
  return {path, std::move(file)};
}

/// A base lies beside the file that names it, or is a standard by name.
std::string base_of(const std::string& name, const std::string& from) {
  namespace fs = std::filesystem;
  const fs::path here = fs::path(from).parent_path();
  if (fs::exists(here / (name + ".yaml"))) return (here / (name + ".yaml")).string();
  if (name.find(".yaml") != std::string::npos && fs::exists(here / name)) return (here / name).string();
  return path_of(name);
}

node load_tree(const std::string& name, problem_list& problems) {
  return config::with_bases(
      read_file(path_of(name), problems),
      [&](const std::string& base, const std::string& from, const std::string&) {
        return read_file(base_of(base, from), problems);
      },
      [](node base, const node& derived) {
        mark_scaled(base, derived);
        base.merge(derived);
        return base;
      });
}

std::string plain_name(const std::string& name) {
  return std::filesystem::path(path_of(name)).stem().string();
}

}  // namespace

std::vector<std::string> standard_names() {
  return data_names(folder, ".yaml");
}

standard load_standard(const std::string& name) {
  // A platform asks for its standards dozens of times: each file is read once, unless it was written since.
  struct entry {
    std::filesystem::file_time_type written;
    standard read;
  };
  static std::mutex lock;
  static std::map<std::string, entry> known;  // by file
  const std::string path = path_of(name);
  std::error_code missing;
  const auto written = std::filesystem::last_write_time(path, missing);
  const std::lock_guard<std::mutex> guard(lock);
  if (const auto found = known.find(path); found != known.end() && found->second.written == written)
    return found->second.read;
  standard s = load_standard(name, node());
  known[path] = {written, s};
  return s;
}

standard load_standard(const std::string& name, const config::node& changes) {
  problem_list problems;
  node tree = load_tree(name, problems);
  if (changes.is_map()) {
    node over = changes;
    spell_out_sources(over, problems);
    problems.check();
    mark_scaled(tree, over);
    tree.merge(over);
  }
  problems.check();
  return read_standard(std::move(tree), plain_name(name), problems);
}

}  // namespace memwall::dram
