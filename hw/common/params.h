// SPDX-License-Identifier: Apache-2.0
// One declarative table a module: it reads YAML and --set, checks ranges, prints `memwall describe`, and writes the
// resolved configuration into every result. Nothing else knows a module's parameters.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "hw/common/config.h"
#include "hw/common/error.h"
#include "hw/common/quantity.h"

namespace memwall {

/// What `memwall describe` prints of one parameter.
struct param_info {
  std::string name, type, default_text, range, doc, source;
};

namespace detail {

/// Reading and writing of one C++ type. `read` returns false and says in `expected` what would have been right.
template <class T, class = void>
struct param_type;

template <>
struct param_type<bool> {
  static std::string name() { return "bool"; }
  static bool read(const config::node& n, bool& out, std::string& expected) {
    expected = "true or false";
    if (n.text() == "true" || n.text() == "on" || n.text() == "yes") return out = true, true;
    if (n.text() == "false" || n.text() == "off" || n.text() == "no") return out = false, true;
    return false;
  }
  static nlohmann::ordered_json write(bool v) { return v; }
};

template <class T>
struct param_type<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
  static std::string name() { return "integer"; }
  static bool read(const config::node& n, T& out, std::string& expected);
  static nlohmann::ordered_json write(T v) { return v; }
};

bool read_integer(const std::string& text, std::int64_t lowest, std::int64_t highest, std::int64_t& out);
bool read_number(const std::string& text, double& out);

template <class T>
bool param_type<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>::read(const config::node& n,
                                                                                              T& out,
                                                                                              std::string& expected) {
  expected = "an integer";
  std::int64_t v = 0;
  const std::int64_t lowest = std::is_signed_v<T> ? static_cast<std::int64_t>(std::numeric_limits<T>::min()) : 0;
  const std::int64_t highest = sizeof(T) >= 8 ? INT64_MAX : static_cast<std::int64_t>(std::numeric_limits<T>::max());
  if (!n.is_scalar() || !read_integer(n.text(), lowest, highest, v)) return false;
  out = static_cast<T>(v);
  return true;
}

template <>
struct param_type<double> {
  static std::string name() { return "number"; }
  static bool read(const config::node& n, double& out, std::string& expected) {
    expected = "a number without a unit";
    return n.is_scalar() && read_number(n.text(), out);
  }
  static nlohmann::ordered_json write(double v) { return v; }
};

template <>
struct param_type<std::string> {
  static std::string name() { return "text"; }
  static bool read(const config::node& n, std::string& out, std::string& expected) {
    expected = "text";
    if (!n.is_scalar()) return false;
    out = n.text();
    return true;
  }
  static nlohmann::ordered_json write(const std::string& v) { return v; }
};

template <class D>
struct param_type<quantity<D>> {
  static std::string name() { return D::name; }
  static bool read(const config::node& n, quantity<D>& out, std::string& expected) {
    return parse_quantity(n.is_scalar() ? n.text() : "", D::name, out.value, expected);
  }
  static nlohmann::ordered_json write(quantity<D> v) { return format_quantity(v.value, D::name); }
};

template <class T>
struct param_type<std::optional<T>> {
  static std::string name() { return param_type<T>::name(); }
  static bool read(const config::node& n, std::optional<T>& out, std::string& expected) {
    T v{};
    if (!param_type<T>::read(n, v, expected)) return false;
    out = v;
    return true;
  }
  static nlohmann::ordered_json write(const std::optional<T>& v) {
    return v ? param_type<T>::write(*v) : nlohmann::ordered_json(nullptr);
  }
};

template <class T>
struct param_type<std::vector<T>> {
  static std::string name() { return "list of " + param_type<T>::name(); }
  static bool read(const config::node& n, std::vector<T>& out, std::string& expected) {
    param_type<T>::read(config::node(), *std::make_unique<T>(), expected);
    expected = "a list, each " + expected;
    if (!n.is_sequence()) return false;
    std::vector<T> values;
    for (const auto& [unused, child] : n.entries()) {
      T v{};
      std::string ignored;
      if (!param_type<T>::read(child, v, ignored)) return false;
      values.push_back(v);
    }
    out = std::move(values);
    return true;
  }
  static nlohmann::ordered_json write(const std::vector<T>& values) {
    auto out = nlohmann::ordered_json::array();
    for (const auto& v : values) out.push_back(param_type<T>::write(v));
    return out;
  }
};

/// A map parameter merges into its default key by key ({fp16: 989 TFLOPS} changes one rate).
template <class T>
struct param_type<std::map<std::string, T>> {
  static std::string name() { return "map of " + param_type<T>::name(); }
  static bool read(const config::node& n, std::map<std::string, T>& out, std::string& expected) {
    param_type<T>::read(config::node(), *std::make_unique<T>(), expected);
    expected = "a map, each value " + expected;
    if (!n.is_map()) return false;
    for (const auto& [key, child] : n.entries()) {
      T v{};
      std::string ignored;
      if (!param_type<T>::read(child, v, ignored)) return false;
      out[key] = v;
    }
    return true;
  }
  static nlohmann::ordered_json write(const std::map<std::string, T>& values) {
    auto out = nlohmann::ordered_json::object();
    for (const auto& [key, v] : values) out[key] = param_type<T>::write(v);
    return out;
  }
};

template <class T>
std::optional<double> magnitude(const T& v) {
  if constexpr (std::is_arithmetic_v<T>)
    return static_cast<double>(v);
  else
    return std::nullopt;
}
template <class D>
std::optional<double> magnitude(const quantity<D>& v) {
  return v.value;
}
template <class T>
std::optional<double> magnitude(const std::optional<T>& v) {
  return v ? magnitude(*v) : std::nullopt;
}

/// What a range limits: a value, or all values of a map.
template <class T>
std::vector<double> magnitudes(const T& v) {
  const auto m = magnitude(v);
  return m ? std::vector<double>{*m} : std::vector<double>{};
}
template <class T>
std::vector<double> magnitudes(const std::map<std::string, T>& values) {
  std::vector<double> out;
  for (const auto& [unused, v] : values)
    if (const auto m = magnitude(v)) out.push_back(*m);
  return out;
}

/// What choices limit: a text, or the keys of a map.
template <class T>
std::vector<std::string> words_in(const T&) {
  return {};
}
inline std::vector<std::string> words_in(const std::string& v) {
  return {v};
}
template <class T>
std::vector<std::string> words_in(const std::map<std::string, T>& values) {
  std::vector<std::string> out;
  for (const auto& [key, unused] : values) out.push_back(key);
  return out;
}

}  // namespace detail

/// The parameters of a struct P: names, defaults (those of a default-constructed P), ranges, meaning and source.
///
// clang-format off
///   const param_table<link_params>& link_table() {
///     static const auto table = param_table<link_params>("link")
///       .add("latency", &link_params::latency, "one way, pin to pin", "PCIe CEM 5.0")
///       .range(duration(0), duration(1e-3))
///       .add("lanes", &link_params::lanes, "lanes a direction", "").range(1, 32);
///     return table;
///   }
// clang-format on
template <class P>
class param_table {
 public:
  explicit param_table(std::string module) : m_module(std::move(module)) {}

  template <class T>
  param_table& add(const std::string& name, T P::*member, const std::string& doc, const std::string& source = "") {
    using type = detail::param_type<T>;
    field f;
    f.info = {name, type::name(), "", "", doc, source};
    const nlohmann::ordered_json default_value = type::write(*std::make_unique<P>().*member);
    f.info.default_text = default_value.is_string() ? default_value.get<std::string>() : default_value.dump();
    f.read = [member](const config::node& n, P& p, std::string& expected) {
      return type::read(n, p.*member, expected);
    };
    f.write = [member](const P& p) { return type::write(p.*member); };
    f.magnitudes = [member](const P& p) { return detail::magnitudes(p.*member); };
    f.texts = [member](const P& p) { return detail::words_in(p.*member); };
    m_fields.push_back(std::move(f));
    return *this;
  }

  /// Limits of the last parameter added (of each value of a map), both allowed. Give quantities for quantities.
  template <class T>
  param_table& range(T low, T high) {
    auto& f = m_fields.back();
    f.low = detail::magnitude(low);
    f.high = detail::magnitude(high);
    const auto print = [](const T& v) {
      const auto j = detail::param_type<T>::write(v);
      return j.is_string() ? j.template get<std::string>() : j.dump();
    };
    f.info.range = print(low) + " to " + print(high);
    return *this;
  }

  /// The words allowed for the last parameter added, a text or the keys of a map.
  param_table& choices(std::vector<std::string> words) {
    auto& f = m_fields.back();
    std::string list;
    for (const auto& w : words) list += (list.empty() ? "" : " | ") + w;
    f.info.range += (f.info.range.empty() ? "" : "; ") + list;
    f.word_list = list;
    f.words = std::move(words);
    return *this;
  }

  /// The parameters of a part of P, as if they were P's own: one map to a user may be several structs.
  template <class Q>
  param_table& include(const param_table<Q>& part, Q P::*member) {
    for (const auto& f : part.m_fields) {
      field mine;
      mine.info = f.info;
      mine.low = f.low;
      mine.high = f.high;
      mine.words = f.words;
      mine.word_list = f.word_list;
      mine.read = [read = f.read, member](const config::node& n, P& p, std::string& expected) {
        return read(n, p.*member, expected);
      };
      mine.write = [write = f.write, member](const P& p) { return write(p.*member); };
      mine.magnitudes = [magnitudes = f.magnitudes, member](const P& p) { return magnitudes(p.*member); };
      mine.texts = [texts = f.texts, member](const P& p) { return texts(p.*member); };
      m_fields.push_back(std::move(mine));
    }
    return *this;
  }

  const std::string& module() const { return m_module; }

  std::vector<param_info> describe() const {
    std::vector<param_info> out;
    for (const auto& f : m_fields) out.push_back(f.info);
    return out;
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& f : m_fields) out.push_back(f.info.name);
    return out;
  }

  /// Reads a map. Keys in `ignore` belong to somebody else ("type", "base"). Problems go to `problems`; `path` prefixes
  /// keys.
  void read(const config::node& map, P& out, problem_list& problems, const std::string& path = {},
            const std::vector<std::string>& ignore = {}) const {
    const std::string prefix = path.empty() ? "" : path + ".";
    if (map.is_null()) return;
    if (!map.is_map()) {
      problems.add({map.where(), path, "is not a map", "a map with the parameters of '" + m_module + "'", ""});
      return;
    }
    for (const auto& [key, value] : map.entries()) {
      bool skip = false;
      for (const auto& i : ignore) skip = skip || i == key;
      if (skip) continue;
      const field* f = find(key);
      if (f == nullptr) {
        problems.add({value.where(), prefix + key, "unknown key of '" + m_module + "'", "one of: " + joined(names()),
                      nearest_name(key, names())});
        continue;
      }
      std::string expected;
      if (!f->read(value, out, expected)) {
        problems.add({value.where(), prefix + key, "got '" + (value.is_scalar() ? value.text() : "a list or map") + "'",
                      expected, ""});
        continue;
      }
      const auto given = value.is_scalar() ? value.text() : "a map";
      for (const double m : f->magnitudes(out))
        if ((f->low && m < *f->low) || (f->high && m > *f->high)) {
          problems.add({value.where(), prefix + key,
                        "got " + given + (value.is_scalar() ? ", out of range" : " with a value out of range"),
                        f->info.range, ""});
          break;
        }
      if (f->words.empty()) continue;
      for (const std::string& text : f->texts(out))
        if (std::find(f->words.begin(), f->words.end(), text) == f->words.end())
          problems.add({value.where(), prefix + key, "got '" + text + "'", "one of: " + f->word_list,
                        nearest_name(text, f->words)});
    }
  }

  /// As above; throws input_error.
  P read(const config::node& map, const std::string& path = {}, const std::vector<std::string>& ignore = {}) const {
    P out;
    problem_list problems;
    read(map, out, problems, path, ignore);
    problems.check();
    return out;
  }

  /// The resolved values, readable back.
  nlohmann::ordered_json write(const P& p) const {
    auto out = nlohmann::ordered_json::object();
    for (const auto& f : m_fields) {
      auto v = f.write(p);
      if (!v.is_null()) out[f.info.name] = std::move(v);
    }
    return out;
  }

 private:
  template <class Other>
  friend class param_table;

  struct field {
    param_info info;
    std::function<bool(const config::node&, P&, std::string&)> read;
    std::function<nlohmann::ordered_json(const P&)> write;
    std::function<std::vector<double>(const P&)> magnitudes;
    std::function<std::vector<std::string>(const P&)> texts;
    std::optional<double> low, high;
    std::vector<std::string> words;
    std::string word_list;
  };

  const field* find(const std::string& name) const {
    for (const auto& f : m_fields)
      if (f.info.name == name) return &f;
    return nullptr;
  }

  std::string m_module;
  std::vector<field> m_fields;
};

}  // namespace memwall
