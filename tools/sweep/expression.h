// SPDX-License-Identifier: Apache-2.0
// The `when:` expressions of sweep files: constraints between axes, such as
//   workload.batch * workload.context <= 65536 and not (platform == "cim_sram" and model == "gpt-3-175b")
//
//   or  and  not  ( )          == != < <= > >=   in [a, b]
//   + - * / % **               min max abs floor ceil round log2 sqrt   true false
//   numbers (4, 2.5e9), quantities (5.2 Gbps, 64 KiB: compared in base units), 'text' or "text"
//   names are paths of axes or of base values; `...` quotes a path with other characters than letters,
//   digits, _ and .
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace memwall::sweep {

/// A value in an expression; monostate is "not set" (a blank cell of a zipped axis), unequal to everything
/// else.
using value = std::variant<std::monostate, bool, double, std::string>;

/// The value that a configuration text stands for: "true"/"false", a number, a quantity in base units, else
/// text.
value to_value(const std::string& text);

class expression {
 public:
  /// Parses. Names are looked up in `names`; `where` and `key` go into messages. Throws input_error.
  expression(std::string text, const std::vector<std::string>& names, const std::string& where, const std::string& key);
  expression(expression&&) noexcept;
  expression& operator=(expression&&) noexcept;
  ~expression();

  /// Evaluates; `values(i)` is the value of names[i]. Throws input_error when types do not fit or it is not
  /// true or false.
  bool test(const std::function<value(std::size_t)>& values) const;
  const std::string& text() const { return m_text; }

  struct term;

 private:
  std::string m_text, m_where, m_key;
  std::unique_ptr<term> m_root;
};

}  // namespace memwall::sweep
