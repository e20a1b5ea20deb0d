// SPDX-License-Identifier: Apache-2.0
#include "hw/cim/macro.h"

#include <algorithm>
#include <filesystem>

#include "hw/common/data_dir.h"
#include "hw/common/problem_place.h"

namespace memwall::cim {
namespace {

const char* const preset_dir = "hw/cim/presets";

bool looks_like_a_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.find(".yaml") != std::string::npos ||
         name.find(".json") != std::string::npos;
}

config::named_tree read_tree(const std::string& name, const std::string& where) {
  if (looks_like_a_file(name)) return {name, config::node::parse_file(name, "a macro's YAML file")};
  const auto names = macro_preset_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw input_error(problem{where, "", "unknown macro preset '" + name + "'", "one of: " + joined(names),
                              nearest_name(name, names)});
  }
  return {name, config::node::parse_file(data_path(std::string(preset_dir) + "/" + name + ".yaml"))};
}

config::node resolve(config::named_tree first) {
  return config::with_bases(std::move(first), [](const std::string& name, const std::string&,
                                                 const std::string& where) { return read_tree(name, where); });
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
  return resolve(read_tree(name, "--macro"));
}

std::unique_ptr<const macro> make_macro(const config::node& tree, const std::string& path) {
  const config::node resolved = resolve({"", tree});
  const std::string prefix = path.empty() ? "" : path + ".";
  const config::node* type = resolved.find("type");
  if (type == nullptr || !type->is_scalar())
    throw input_error(problem{resolved.where(), prefix + "type", "is missing", "a kind of macro, or base: PRESET", ""});
  const macro_kind& kind = macros().get(type->text(), type->where(), prefix + "type");
  return locating(resolved, path, [&] { return kind.make(resolved, path); });
}

std::unique_ptr<const macro> load_macro(const std::string& name) {
  return make_macro(load_macro_tree(name));
}

}  // namespace memwall::cim
