// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/macro.h"

#include <algorithm>
#include <filesystem>

#include "hw/common/data_dir.h"

namespace memwall::cim {
namespace {

const char* const preset_dir = "hw/cim/presets";

bool looks_like_a_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.find(".yaml") != std::string::npos ||
         name.find(".json") != std::string::npos;
}

config::node read_tree(const std::string& name, const std::string& where) {
  if (looks_like_a_file(name)) return config::node::parse_file(name);
  const auto names = macro_preset_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    std::string known;
    for (const auto& n : names) known += (known.empty() ? "" : ", ") + n;
    throw input_error(
        problem{where, "", "unknown macro preset '" + name + "'", "one of: " + known, nearest_name(name, names)});
  }
  return config::node::parse_file(data_path(std::string(preset_dir) + "/" + name + ".yaml"));
}

// Merges the chain of bases under `tree`; `seen` holds the names on the way, to find cycles.
config::node resolve(config::node tree, std::vector<std::string> seen) {
  const config::node* base = tree.find("base");
  if (base == nullptr) return tree;
  const std::string name = base->text();
  if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
    std::string chain;
    for (const auto& s : seen) chain += s + " -> ";
    throw input_error(
        problem{base->where(), "base", "presets derive from each other: " + chain + name, "no cycle", ""});
  }
  seen.push_back(name);
  config::node merged = resolve(read_tree(name, base->where()), std::move(seen));
  tree.erase("base");
  merged.merge(tree);
  return merged;
}

}  // namespace

registry<macro_kind>& macros() {
  static registry<macro_kind> kinds("kind of macro");
  return kinds;
}

std::vector<std::string> macro_preset_names() {
  return data_names(preset_dir, ".yaml");
}

config::node load_macro_tree(const std::string& name) {
  return resolve(read_tree(name, ""), {name});
}

std::unique_ptr<const macro> make_macro(const config::node& tree, const std::string& path) {
  const config::node resolved = resolve(tree, {});
  const std::string prefix = path.empty() ? "" : path + ".";
  const config::node* type = resolved.find("type");
  if (type == nullptr || !type->is_scalar())
    throw input_error(problem{resolved.where(), prefix + "type", "is missing", "a kind of macro, or base: PRESET", ""});
  return macros().get(type->text(), type->where(), prefix + "type").make(resolved, path);
}

std::unique_ptr<const macro> load_macro(const std::string& name) {
  return make_macro(load_macro_tree(name));
}

}  // namespace memwall::cim
