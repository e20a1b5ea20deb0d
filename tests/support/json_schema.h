// SPDX-License-Identifier: Apache-2.0
// The part of JSON Schema (draft 2020-12) that result.schema.json uses: type, properties, required,
// additionalProperties, items.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace memwall::test {

inline bool has_type(const nlohmann::ordered_json& v, const std::string& type) {
  return type == "null"      ? v.is_null()
         : type == "boolean" ? v.is_boolean()
         : type == "string"  ? v.is_string()
         : type == "integer" ? v.is_number_integer()
         : type == "number"  ? v.is_number()
         : type == "object"  ? v.is_object()
         : type == "array"   ? v.is_array()
                             : false;
}

/// What of `v` the schema does not allow, with where it stands.
inline void violations(const nlohmann::ordered_json& schema, const nlohmann::ordered_json& v, const std::string& at,
                       std::vector<std::string>& out) {
  if (out.size() >= 10 || schema.is_boolean()) return;
  if (const auto type = schema.find("type"); type != schema.end()) {
    bool good = false;
    for (const auto& t : type->is_array() ? *type : nlohmann::ordered_json::array({*type})) good |= has_type(v, t);
    if (!good) return out.push_back(at + " is " + v.dump().substr(0, 40) + ", not " + type->dump());
  }
  if (v.is_array() && schema.contains("items"))
    for (std::size_t i = 0; i < v.size(); ++i)
      violations(schema["items"], v[i], at + "[" + std::to_string(i) + "]", out);
  if (!v.is_object() || !schema.contains("properties")) return;
  for (const auto& name : schema.value("required", nlohmann::ordered_json::array()))
    if (!v.contains(name.get<std::string>())) out.push_back(at + "." + name.get<std::string>() + " is missing");
  for (const auto& [name, value] : v.items()) {
    const auto& known = schema["properties"];
    if (known.contains(name))
      violations(known[name], value, at + "." + name, out);
    else if (schema["additionalProperties"] == false)
      out.push_back(at + "." + name + " is not declared");
    else
      violations(schema["additionalProperties"], value, at + "." + name, out);
  }
}

}  // namespace memwall::test
