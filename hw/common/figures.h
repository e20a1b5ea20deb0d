// SPDX-License-Identifier: Apache-2.0
// What a run finds, declared once: one table a struct gives its JSON, its CSV, `memwall describe result` and the JSON
// Schema of results. Nothing else spells the name of a figure that a table has.
//
//   struct summary { ps_t time; std::optional<double> tokens_per_s; };
//   figure_table<summary>("summary")
//       .add("time_ns", [](const summary& s) { return ns(s.time); }, "ns", "begin to end", sums::largest)
//       .add("tokens_per_s", &summary::tokens_per_s, "1/s", "tokens over the time");
#pragma once
#include <fmt/compile.h>
#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "hw/common/csv.h"

namespace memwall {

/// How the figure of a whole follows from those of its parts.
enum class sums { no, adds, largest, mean };
constexpr const char* sums_name(sums s) {
  return s == sums::adds ? "adds up" : s == sums::largest ? "the largest" : s == sums::mean ? "a mean" : "";
}

/// What `memwall describe result` prints of one figure.
struct figure_info {
  std::string
      path;  ///< in result.json, with [] for every element of a list and * for any name: "memories[].commands.*"
  std::string type;  ///< of JSON: number, integer, string, boolean, object, array; "any"
  std::string unit, doc;
  sums how = sums::no;
  bool always = true;     ///< false: left out where it means nothing
  bool nullable = false;  ///< null where nobody knows
};

/// Null in JSON where empty; std::optional is left out instead.
template <class T>
struct or_null {
  std::optional<T> value;
  or_null() = default;
  or_null(T v) : value(std::move(v)) {}                 // NOLINT(google-explicit-constructor): a figure that is known
  or_null(std::nullptr_t) {}                            // NOLINT(google-explicit-constructor): one that is not
  or_null(std::optional<T> v) : value(std::move(v)) {}  // NOLINT(google-explicit-constructor)
};

namespace detail {

template <class T>
struct figure_type {
  using plain = T;
  static constexpr bool always = true, nullable = false;
  static std::optional<nlohmann::ordered_json> write(const T& v) { return nlohmann::ordered_json(v); }
};
template <class T>
struct figure_type<std::optional<T>> {
  using plain = T;
  static constexpr bool always = false, nullable = false;
  static std::optional<nlohmann::ordered_json> write(const std::optional<T>& v) {
    return v ? std::optional(nlohmann::ordered_json(*v)) : std::nullopt;
  }
};
template <class T>
struct figure_type<or_null<T>> {
  using plain = T;
  static constexpr bool always = true, nullable = true;
  static std::optional<nlohmann::ordered_json> write(const or_null<T>& v) {
    return v.value ? nlohmann::ordered_json(*v.value) : nlohmann::ordered_json(nullptr);
  }
};

/// Appends a value as a cell of a CSV file: what its JSON would say, without the way over it (files have a million
/// rows).
template <class T>
void append_cell(std::string& out, const T& v) {
  if constexpr (std::is_same_v<T, bool>)
    out += v ? "true" : "false";
  else if constexpr (std::is_arithmetic_v<T>) {
    char digits[64];  // the shortest form of a double has 24
    out.append(digits, fmt::format_to(digits, FMT_COMPILE("{}"), v));
  } else if constexpr (std::is_convertible_v<T, std::string_view>)
    append_csv_cell(out, v);
  else
    append_csv_cell(out, nlohmann::ordered_json(v).dump());
}
template <class T>
void append_cell(std::string& out, const std::optional<T>& v) {
  if (v) append_cell(out, *v);
}
template <class T>
void append_cell(std::string& out, const or_null<T>& v) {
  append_cell(out, v.value);
}

template <class T>
constexpr const char* json_type() {
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  if constexpr (std::is_integral_v<T>) return "integer";
  if constexpr (std::is_floating_point_v<T>) return "number";
  if constexpr (std::is_convertible_v<T, std::string>) return "string";
  return "any";
}

}  // namespace detail

template <class S>
class figure_table {
 public:
  /// `path`: where the struct stands in result.json: "summary", "memories[]".
  explicit figure_table(std::string path) : m_path(std::move(path)) {}

  /// `of` is a member of S or a function of S. A std::optional is left out of JSON where it is empty (an empty CSV
  /// cell), an or_null is null there.
  template <class Of>
  figure_table& add(const char* name, Of of, const char* unit, const char* doc, sums how = sums::no) {
    using value = std::decay_t<std::invoke_result_t<Of, const S&>>;
    using type = detail::figure_type<value>;
    return put(
        name, detail::json_type<typename type::plain>(), type::always, type::nullable, unit, doc, how,
        [of](const S& s) { return type::write(std::invoke(of, s)); },
        [of](const S& s, std::string& out) { detail::append_cell(out, std::invoke(of, s)); });
  }
  /// A figure with figures inside: an object or a list that `of` makes. `inner` says what is in it, with paths relative
  /// to this one ("p50", "[]", "*"); nothing said: not described further.
  template <class Of>
  figure_table& add_json(const char* name, Of of, const char* type, const char* unit, const char* doc,
                         std::vector<figure_info> inner = {}, sums how = sums::no) {
    using value = std::decay_t<std::invoke_result_t<Of, const S&>>;
    using wrapped = detail::figure_type<value>;
    put(name, type, wrapped::always, wrapped::nullable, unit, doc, how,
        [of](const S& s) { return wrapped::write(std::invoke(of, s)); }, {});
    for (auto& i : inner) {
      const bool list = i.path.rfind("[]", 0) == 0;
      i.path = m_rows.back().info.path + (list ? "" : ".") + i.path;
      m_rows.back().inner.push_back(std::move(i));
    }
    return *this;
  }

  /// The figure added last is a column of the CSV only: JSON has it in another form. Or in JSON only.
  figure_table& csv_only() { return m_rows.back().json = false, *this; }
  figure_table& json_only() { return m_rows.back().cell = nullptr, *this; }

  nlohmann::ordered_json write(const S& s) const {
    auto out = nlohmann::ordered_json::object();
    for (const auto& r : m_rows)
      if (r.json)
        if (auto v = r.of(s)) out[r.name] = std::move(*v);
    return out;
  }
  std::string csv_header() const {
    std::string out;
    for (const auto& r : m_rows)
      if (r.cell) out += (out.empty() ? "" : ",") + r.name;
    return out;
  }
  std::string csv_line(const S& s) const {
    std::string out;
    bool first = true;
    for (const auto& r : m_rows) {
      if (!r.cell) continue;
      if (!first) out += ',';
      first = false;
      r.cell(s, out);
    }
    return out;
  }
  std::vector<figure_info> describe() const {
    std::vector<figure_info> out;
    for (const auto& r : m_rows) {
      if (!r.json) continue;
      out.push_back(r.info);
      out.insert(out.end(), r.inner.begin(), r.inner.end());
    }
    return out;
  }

 private:
  using writer = std::function<std::optional<nlohmann::ordered_json>(const S&)>;
  using cell_writer = std::function<void(const S&, std::string& out)>;
  struct row {
    std::string name;
    figure_info info;
    writer of;
    cell_writer cell;  ///< none: no column of the CSV
    std::vector<figure_info> inner;
    bool json = true;
  };
  figure_table& put(const char* name, const char* type, bool always, bool nullable, const char* unit, const char* doc,
                    sums how, writer of, cell_writer cell) {
    m_rows.push_back({name,
                      {m_path.empty() ? name : m_path + "." + name, type, unit, doc, how, always, nullable},
                      std::move(of),
                      std::move(cell),
                      {},
                      true});
    return *this;
  }

  std::string m_path;
  std::vector<row> m_rows;
};

}  // namespace memwall
