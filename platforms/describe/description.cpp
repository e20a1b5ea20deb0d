// SPDX-License-Identifier: Apache-2.0
#include "platforms/describe/description.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

#include "hw/common/data_dir.h"
#include "hw/common/params.h"
#include "platforms/describe/rule_match.h"

namespace memwall::platforms {
namespace fs = std::filesystem;
namespace {

const std::vector<std::string> top_keys = {"base",     "description", "modules",  "connect", "mapping",
                                           "parallel", "server",      "software", "sources"};

/// `from`: the file that names it; empty on the command line.
std::string file_of(const std::string& name, const std::string& from, const std::string& where) {
  std::error_code ignored;
  if (name.find('/') != std::string::npos || fs::path(name).extension() == ".yaml" ||
      fs::path(name).extension() == ".json") {
    const auto beside = fs::path(from).parent_path() / name;
    if (!fs::exists(name, ignored) && !from.empty() && fs::exists(beside, ignored)) return beside.string();
    if (fs::exists(name, ignored)) return name;  // what it is says whoever reads it
    throw input_error(problem{where, "", "platform file '" + name + "' does not exist", "a YAML file", ""});
  }
  std::string path = data_path("platforms/presets/" + name + ".yaml");
  if (!path.empty()) return path;
  throw input_error(problem{where, "", "unknown platform '" + name + "'",
                            "one of: " + joined(platform_names()) + "; or a YAML file",
                            nearest_name(name, platform_names())});
}

config::named_tree read_platform_file(const std::string& path) {
  std::error_code ignored;
  config::node tree = config::node::parse_file(path, "a platform's YAML file, or the result.json of a run");
  if (!tree.is_map()) throw input_error(problem{path, "", "is not a map", "a platform: modules, connect, mapping", ""});
  if (const config::node* platform = tree.at_path("config.platform")) {  // a result.json: run its configuration again
    config::node inner = *platform;
    tree = std::move(inner);
  }
  return {fs::weakly_canonical(path, ignored).string(), std::move(tree)};
}

/// The file's tree over the trees of its bases. A base may lie beside the file that names it.
config::node load_tree(const std::string& path) {
  return config::with_bases(read_platform_file(path),
                            [](const std::string& name, const std::string& from, const std::string& where) {
                              return read_platform_file(file_of(name, from, where));
                            });
}

std::string text_of(const config::node& map, const char* key, problem_list& problems, const std::string& path) {
  const config::node* n = map.find(key);
  if (n == nullptr || n->is_null()) return {};
  if (!n->is_scalar()) {
    problems.add({n->where(), path.empty() ? key : path + "." + key, "is not text", "a name", ""});
    return {};
  }
  return n->text();
}

void unknown_keys(const config::node& map, const std::vector<std::string>& known, const std::string& path,
                  problem_list& problems) {
  for (const auto& [key, value] : map.entries())
    if (std::find(known.begin(), known.end(), key) == known.end())
      problems.add({value.where(), path + key, "unknown key", "one of: " + joined(known), nearest_name(key, known)});
}

/// Each takes some megabytes, most of them for its statistics.
constexpr int most_modules = 1024;

bool is_module_name(const std::string& name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_other = [](char c) { return (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || is_other(c); });
}

void read_modules(const config::node& tree, platform_description& out, problem_list& problems) {
  const config::node* modules = tree.find("modules");
  if (modules == nullptr || !modules->is_map() || modules->entries().empty()) {
    problems.add({tree.where(), "modules", "is missing or not a map", "a map name: {type: ..., ...}", ""});
    return;
  }
  for (const auto& [name, node] : modules->entries()) {
    if (node.is_null()) continue;  // a derived platform takes a module out by setting it to nothing
    const std::string path = "modules." + name;
    if (!is_module_name(name)) {
      problems.add({node.where(), path, "is no name for a module: waveforms and results name modules in one word",
                    "letters, digits, '_' and '-', a letter first", ""});
      continue;
    }
    const config::node* type = node.is_map() ? node.find("type") : nullptr;
    if (type == nullptr || !type->is_scalar()) {
      problems.add({node.where(), path, "has no type", "{type: dram | bus | link | gpu | ...}", ""});
      continue;
    }
    int count = 1;
    bool counted = false;
    if (const config::node* c = node.find("count")) {
      std::string expected;
      counted = true;
      if (!detail::param_type<int>::read(*c, count, expected) || count < 1 || count > most_modules) {
        problems.add({c->where(), path + ".count", "got '" + c->text() + "'",
                      "an integer from 1 to " + std::to_string(most_modules), ""});
        count = 1;
      }
    }
    if (out.modules.size() + static_cast<std::size_t>(count) > most_modules) {
      problems.add({node.where(), path, "makes more than " + std::to_string(most_modules) + " modules in all",
                    "a platform of at most so many", ""});
      return;
    }
    for (int i = 0; i < count; ++i) {
      const std::string member = counted ? name + std::to_string(i) : name;
      if (out.find(member) != nullptr)
        problems.add({node.where(), path, "two modules are called '" + member + "'",
                      "names that differ from those that a count makes", ""});
      out.modules.push_back({member, type->text(), node, name, i});
    }
  }
}

void read_connections(const config::node& tree, platform_description& out, problem_list& problems) {
  const config::node* connect = tree.find("connect");
  if (connect == nullptr || connect->is_null()) return;
  if (!connect->is_sequence()) {
    problems.add({connect->where(), "connect", "is not a list", "a list of [from, to]", ""});
    return;
  }
  std::vector<std::string> names;
  for (const auto& m : out.modules) names.push_back(m.group);
  for (const auto& [i, pair] : connect->entries()) {
    const std::string path = "connect." + i;
    if (!pair.is_sequence() || pair.entries().size() != 2 || !pair.entries()[0].second.is_scalar() ||
        !pair.entries()[1].second.is_scalar()) {
      problems.add({pair.where(), path, "is not a pair", "[from, to]", ""});
      continue;
    }
    const std::string from = pair.entries()[0].second.text(), to = pair.entries()[1].second.text();
    const auto a = out.group(from), b = out.group(to);
    bool known = true;
    for (const auto& [name, members] : {std::pair{from, a}, std::pair{to, b}})
      if (members.empty()) {
        problems.add(
            {pair.where(), path, "unknown module '" + name + "'", "a name under modules", nearest_name(name, names)});
        known = false;
      }
    if (!known) continue;
    // Two groups of one size connect member by member; a single module connects to every member.
    if (a.size() == b.size())
      for (std::size_t k = 0; k < a.size(); ++k) out.connections.push_back({a[k]->name, b[k]->name, pair.where()});
    else if (a.size() == 1 || b.size() == 1)
      for (const auto* x : a)
        for (const auto* y : b) out.connections.push_back({x->name, y->name, pair.where()});
    else
      problems.add({pair.where(), path,
                    "connects " + std::to_string(a.size()) + " modules with " + std::to_string(b.size()),
                    "groups of one size, or a single module", ""});
  }
}

void read_mapping(const config::node& tree, platform_description& out, problem_list& problems) {
  const config::node* mapping = tree.find("mapping");
  if (mapping == nullptr || !mapping->is_sequence() || mapping->entries().empty()) {
    problems.add({tree.where(), "mapping", "is missing or not a list",
                  "a list of rules, e.g. - {executor: gpu, weights: hbm, kv_cache: hbm, activations: hbm}", ""});
    return;
  }
  std::vector<std::string> names;
  for (const auto& m : out.modules) names.push_back(m.group);
  for (const auto& entry : mapping->entries()) {
    const config::node& node = entry.second;
    const std::string path = "mapping." + entry.first;
    if (!node.is_map()) {
      problems.add({node.where(), path, "is not a map", "{executor: ..., weights: ..., ...}", ""});
      continue;
    }
    unknown_keys(node,
                 {"kinds", "ops", "layers", "phase", "executor", "weights", "kv_cache", "activations", "overflow"},
                 path + ".", problems);
    mapping_rule r;
    r.where = node.where();
    r.name_pattern = text_of(node, "ops", problems, path);
    r.phase = text_of(node, "phase", problems, path);
    r.executor = text_of(node, "executor", problems, path);
    r.weights = text_of(node, "weights", problems, path);
    r.kv_cache = text_of(node, "kv_cache", problems, path);
    r.activations = text_of(node, "activations", problems, path);
    r.overflow = text_of(node, "overflow", problems, path);
    if (r.overflow == "refuse") r.overflow.clear();
    if (const config::node* kinds = node.find("kinds")) {
      std::string expected;
      if (!detail::param_type<std::vector<std::string>>::read(*kinds, r.kinds, expected))
        problems.add({kinds->where(), path + ".kinds", "is not a list", expected, ""});
    }
    if (const config::node* layers = node.find("layers")) {
      const std::string t = layers->is_scalar() ? layers->text() : "";
      const auto dash = t.find('-');
      bool good = !t.empty();
      std::int64_t v = 0;
      const std::string low = t.substr(0, dash), high = dash == std::string::npos ? low : t.substr(dash + 1);
      if (!low.empty())
        good = good && detail::read_integer(low, 0, 1 << 20, v), r.first_layer = v;
      else
        r.first_layer = 0;
      if (!high.empty()) good = good && detail::read_integer(high, 0, 1 << 20, v), r.last_layer = v;
      if (!good)
        problems.add({layers->where(), path + ".layers", "got '" + t + "'", "a layer or a range: 3, 0-19, 20-", ""});
      else if (r.first_layer > r.last_layer)
        problems.add(
            {layers->where(), path + ".layers", "got '" + t + "': it ends before it begins", high + "-" + low, ""});
    }
    const auto must_exist = [&](const std::string& name, const char* key, bool required) {
      if (name.empty()) {
        if (required) problems.add({node.where(), path + "." + key, "is missing", "a name under modules", ""});
      } else if (out.group(name).empty()) {
        problems.add({node.where(), path + "." + key, "unknown module '" + name + "'", "a name under modules",
                      nearest_name(name, names)});
      }
    };
    must_exist(r.executor, "executor", true);
    must_exist(r.weights, "weights", true);
    must_exist(r.kv_cache, "kv_cache", true);
    must_exist(r.activations, "activations", true);
    must_exist(r.overflow, "overflow", false);
    out.mapping.push_back(std::move(r));
  }
}

/// A macro that is named by its preset takes keys of its own over it: modules.X.macro.KEY.
void open_macro(config::node& tree, const std::string& path) {
  const auto module_end = path.find('.', 8), macro_end = path.find('.', module_end + 1);
  if (module_end == std::string::npos || macro_end == std::string::npos ||
      path.compare(module_end + 1, macro_end - module_end - 1, "macro") != 0)
    return;
  config::node* modules = tree.find("modules");
  config::node* module = modules == nullptr ? nullptr : modules->find(path.substr(8, module_end - 8));
  config::node* macro = module == nullptr ? nullptr : module->find("macro");
  if (macro == nullptr || !macro->is_scalar()) return;
  config::node full = config::node::map(macro->where());
  full.insert("base", *macro);
  module->insert("macro", full);
}

void apply_sets(config::node& tree, const std::vector<std::string>& sets) {
  problem_list problems;
  for (const std::string& s : sets) {
    const auto equals = s.find('=');
    if (equals == std::string::npos || equals == 0) {
      problems.add({"--set " + s, "", equals == 0 ? "has no path" : "has no '='", "path=value", ""});
      continue;
    }
    std::string path = s.substr(0, equals);
    const std::string first = path.substr(0, path.find('.'));
    const config::node* modules = tree.find("modules");
    if (modules != nullptr && modules->find(first) != nullptr)
      path = "modules." + path;
    else if (std::find(top_keys.begin(), top_keys.end(), first) == top_keys.end()) {
      std::vector<std::string> names = top_keys;
      if (modules != nullptr)
        for (const auto& [name, unused] : modules->entries()) names.push_back(name);
      problems.add({"--set " + s, path, "'" + first + "' is neither a module nor a key of the platform", "",
                    nearest_name(first, names)});
      continue;
    }
    if (path.compare(0, 8, "modules.") == 0) open_macro(tree, path);
    tree.set(path, s.substr(equals + 1), "--set " + s);
  }
  problems.check();
}

/// The file of a software preset. `where`: who names it.
config::named_tree read_software(const std::string& name, const std::string& where) {
  const std::vector<std::string> known = software_names();
  if (std::find(known.begin(), known.end(), name) == known.end())
    throw input_error(problem{where, "software", "unknown software preset '" + name + "'", "one of: " + joined(known),
                              nearest_name(name, known)});
  const std::string path = data_path("platforms/software/" + name + ".yaml");
  return {path, config::node::parse_file(path)};
}

/// Overheads of a software stack, by core kind, under what the platform says itself? No: over the platform's defaults
/// but under --set, so that `--set software=llama_cpp` means something on every preset.
void apply_software(config::node& tree, const std::string& software, const std::string& where) {
  const config::node preset = config::with_bases(
      read_software(software, where), [](const std::string& name, const std::string&, const std::string& named_at) {
        return read_software(name, named_at);
      });
  // A serving engine's own figures, those that the platform gives on top.
  if (const config::node* server = preset.find("server")) {
    config::node merged = *server;
    if (const config::node* own = tree.find("server")) merged.merge(*own);
    tree.insert("server", merged);
  }
  config::node* modules = tree.find("modules");
  if (modules == nullptr) return;
  for (auto& [name, module] : modules->entries()) {
    const config::node* type = module.find("type");
    const config::node* overlay = type != nullptr ? preset.find(type->text()) : nullptr;
    if (overlay != nullptr) module.merge(*overlay);
  }
}

}  // namespace

const module_description* platform_description::find(const std::string& module) const {
  for (const auto& m : modules)
    if (m.name == module) return &m;
  return nullptr;
}

std::vector<const module_description*> platform_description::group(const std::string& group_name) const {
  std::vector<const module_description*> out;
  for (const auto& m : modules)
    if (m.group == group_name) out.push_back(&m);
  if (out.empty())
    if (const auto* single = find(group_name)) out.push_back(single);
  return out;
}

bool matches(const mapping_rule& rule, const std::string& name, std::string_view kind, std::int64_t layer,
             std::string_view phase) {
  const auto& kinds = rule.kinds;
  return rule.matches_layer(layer) && (kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) &&
         (rule.name_pattern.empty() || matches_glob(rule.name_pattern, name)) &&
         (rule.phase.empty() || rule.phase == phase);
}

bool matches_glob(const std::string& pattern, const std::string& text) {
  return fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

std::vector<std::string> platform_names() {
  return data_names("platforms/presets", ".yaml");
}
std::vector<std::string> software_names() {
  return data_names("platforms/software", ".yaml");
}

platform_description read_platform(config::node tree, const std::string& name, const std::vector<std::string>& sets) {
  // The software preset may itself be set: look for it first.
  std::string software, software_where;
  if (const config::node* s = tree.find("software")) software = s->text(), software_where = s->where();
  for (const auto& s : sets)
    if (s.rfind("software=", 0) == 0) software = s.substr(9), software_where = "--set " + s;
  if (!software.empty()) apply_software(tree, software, software_where);
  apply_sets(tree, sets);

  platform_description out;
  out.name = name;
  problem_list problems;
  unknown_keys(tree, top_keys, "", problems);
  out.text = text_of(tree, "description", problems, "");
  out.software = text_of(tree, "software", problems, "");
  if (const auto p = text_of(tree, "parallel", problems, ""); !p.empty()) {
    out.parallel = p;
    if (p != "tensor" && p != "pipeline")
      problems.add({tree.find("parallel")->where(), "parallel", "got '" + p + "'", "tensor or pipeline",
                    nearest_name(p, {"tensor", "pipeline"})});
  }
  read_modules(tree, out, problems);
  read_connections(tree, out, problems);
  read_mapping(tree, out, problems);
  problems.check();
  out.tree = std::move(tree);
  return out;
}

platform_description load_platform(const std::string& name_or_file, const std::vector<std::string>& sets) {
  config::node tree = load_tree(file_of(name_or_file, "", "--platform " + name_or_file));
  return read_platform(std::move(tree), fs::path(name_or_file).stem().string(), sets);
}

}  // namespace memwall::platforms
