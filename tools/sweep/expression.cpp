// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/expression.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>

#include "hw/common/error.h"
#include "hw/common/quantity.h"
#include "tools/sweep/units.h"

namespace memwall::sweep {

struct expression::term {
  std::string op;  ///< operator or function; "const", "name", "list"
  value constant;
  std::size_t name = 0;
  std::vector<std::unique_ptr<term>> children;
};

namespace {

using term = expression::term;
using term_ptr = std::unique_ptr<term>;

struct failure {
  std::string message, expected, nearest;
};

const std::map<std::string, std::size_t>& functions() {
  static const std::map<std::string, std::size_t> table = {{"min", 2},  {"max", 2},   {"abs", 1},  {"floor", 1},
                                                           {"ceil", 1}, {"round", 1}, {"log2", 1}, {"sqrt", 1}};
  return table;
}

const char* type_name(const value& v) {
  static const char* const names[] = {"not set", "true or false", "a number", "text"};
  return names[v.index()];
}

double number(const value& v, const std::string& op) {
  if (const auto* d = std::get_if<double>(&v)) return *d;
  throw failure{"'" + op + "' got " + type_name(v), "numbers on both sides", ""};
}

bool truth(const value& v, const std::string& op) {
  if (const auto* b = std::get_if<bool>(&v)) return *b;
  throw failure{"'" + op + "' got " + type_name(v), "true or false", ""};
}

class parser {
 public:
  parser(std::string_view text, const std::vector<std::string>& names) : m_text(text), m_names(names) {}

  term_ptr parse() {
    auto out = disjunction();
    skip();
    if (m_at != m_text.size()) throw failure{"unexpected '" + rest() + "'", "an operator or the end", ""};
    return out;
  }

 private:
  void skip() {
    while (m_at < m_text.size() && std::isspace(static_cast<unsigned char>(m_text[m_at]))) ++m_at;
  }
  std::string rest() const { return std::string(m_text.substr(m_at, 20)); }
  static bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

  bool take(std::string_view token) {
    skip();
    if (m_text.substr(m_at, token.size()) != token) return false;
    const bool is_word = std::isalpha(static_cast<unsigned char>(token[0]));
    if (is_word && m_at + token.size() < m_text.size() && word_char(m_text[m_at + token.size()])) return false;
    m_at += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token))
      throw failure{m_at == m_text.size() ? "ends early" : "unexpected '" + rest() + "'",
                    "'" + std::string(token) + "'", ""};
  }

  // Parsing and evaluation go down on the stack: an expression that people write is far from its end.
  static constexpr int most_nested = 100, most_terms = 2000;

  /// Counts what lies inside each other while it lives.
  class nesting {
   public:
    explicit nesting(int& depth) : m_depth(depth) {
      if (++m_depth > most_nested)
        throw failure{"brackets, 'not' and signs lie too deep inside each other",
                      "at most " + std::to_string(most_nested), ""};
    }
    ~nesting() { --m_depth; }
    nesting(const nesting&) = delete;
    nesting& operator=(const nesting&) = delete;

   private:
    int& m_depth;
  };

  term_ptr make(std::string op, std::vector<term_ptr> children = {}) {
    if (++m_terms > most_terms) throw failure{"is too long", "at most " + std::to_string(most_terms) + " terms", ""};
    auto out = std::make_unique<term>();
    out->op = std::move(op);
    out->children = std::move(children);
    return out;
  }
  term_ptr make(std::string op, term_ptr a, term_ptr b) {
    auto out = make(std::move(op));
    out->children.push_back(std::move(a));
    out->children.push_back(std::move(b));
    return out;
  }

  term_ptr disjunction() {
    auto out = conjunction();
    while (take("or")) out = make("or", std::move(out), conjunction());
    return out;
  }
  term_ptr conjunction() {
    auto out = negation();
    while (take("and")) out = make("and", std::move(out), negation());
    return out;
  }
  term_ptr negation() {
    if (!take("not")) return comparison();
    const nesting inside(m_depth);
    auto out = make("not");
    out->children.push_back(negation());
    return out;
  }
  term_ptr comparison() {
    auto out = sum();
    if (take("in")) {
      expect("[");
      auto list = make("list");
      do list->children.push_back(sum());
      while (take(","));
      expect("]");
      return make("in", std::move(out), std::move(list));
    }
    for (const char* op : {"==", "!=", "<=", ">=", "<", ">"})
      if (take(op)) return make(op, std::move(out), sum());
    return out;
  }
  term_ptr sum() {
    auto out = product();
    while (true) {
      if (take("+"))
        out = make("+", std::move(out), product());
      else if (take("-"))
        out = make("-", std::move(out), product());
      else
        return out;
    }
  }
  term_ptr product() {
    auto out = unary();
    while (true) {
      skip();
      if (m_text.substr(m_at, 2) == "**") return out;
      if (take("*"))
        out = make("*", std::move(out), unary());
      else if (take("/"))
        out = make("/", std::move(out), unary());
      else if (take("%"))
        out = make("%", std::move(out), unary());
      else
        return out;
    }
  }
  term_ptr unary() {
    if (take("-")) {
      const nesting inside(m_depth);
      auto zero = make("const");
      zero->constant = 0.0;
      return make("-", std::move(zero), unary());
    }
    auto out = primary();
    if (!take("**")) return out;
    const nesting inside(m_depth);
    return make("**", std::move(out), unary());
  }
  term_ptr primary() {
    skip();
    if (m_at == m_text.size()) throw failure{"ends early", "a value", ""};
    const char c = m_text[m_at];
    if (take("(")) {
      const nesting inside(m_depth);
      auto out = disjunction();
      expect(")");
      return out;
    }
    if (c == '\'' || c == '"' || c == '`') {
      const auto end = m_text.find(c, m_at + 1);
      if (end == std::string_view::npos) throw failure{"a quote is not closed", std::string(1, c), ""};
      const std::string text(m_text.substr(m_at + 1, end - m_at - 1));
      m_at = end + 1;
      if (c == '`') return name(text);
      auto out = make("const");
      out->constant = text;
      return out;
    }
    if (std::isdigit(static_cast<unsigned char>(c)) || c == '.') return literal();
    std::size_t end = m_at;
    while (end < m_text.size() && word_char(m_text[end])) ++end;
    if (end == m_at) throw failure{"unexpected '" + rest() + "'", "a value", ""};
    const std::string word(m_text.substr(m_at, end - m_at));
    m_at = end;
    if (word == "true" || word == "false") {
      auto out = make("const");
      out->constant = word == "true";
      return out;
    }
    const auto f = functions().find(word);
    if (f != functions().end() && take("(")) {
      const nesting inside(m_depth);
      auto out = make(word);
      do out->children.push_back(sum());
      while (take(","));
      expect(")");
      const bool several = f->second == 2;
      if (several ? out->children.size() < 2 : out->children.size() != 1)
        throw failure{word + " got " + std::to_string(out->children.size()) + " values", several ? "2 or more" : "1",
                      ""};
      return out;
    }
    return name(word);
  }

  term_ptr literal() {
    double v = 0;
    const auto parsed = std::from_chars(m_text.data() + m_at, m_text.data() + m_text.size(), v);
    if (parsed.ec != std::errc{}) throw failure{"unexpected '" + rest() + "'", "a number", ""};
    const std::size_t begin = m_at;
    m_at = static_cast<std::size_t>(parsed.ptr - m_text.data());
    auto out = make("const");
    out->constant = v;
    // A unit may follow, "5.2 GB/s": the longest run that is a quantity wins.
    std::size_t unit = m_at;
    while (unit < m_text.size() && m_text[unit] == ' ') ++unit;
    std::size_t end = unit;
    while (end < m_text.size() && (std::isalnum(static_cast<unsigned char>(m_text[end])) || m_text[end] == '/')) ++end;
    for (; end > unit; --end) {
      if (end < m_text.size() && std::isalnum(static_cast<unsigned char>(m_text[end]))) continue;
      if (const auto q = parse_any_quantity(m_text.substr(begin, end - begin))) {
        out->constant = q->value;
        m_at = end;
        return out;
      }
    }
    return out;
  }

  term_ptr name(const std::string& word) {
    const auto found = std::find(m_names.begin(), m_names.end(), word);
    if (found == m_names.end())
      throw failure{"unknown name '" + word + "' (text is written in quotes)", "one of: " + joined(m_names),
                    nearest_name(word, m_names)};
    auto out = make("name");
    out->name = static_cast<std::size_t>(found - m_names.begin());
    return out;
  }

  std::string_view m_text;
  const std::vector<std::string>& m_names;
  std::size_t m_at = 0;
  int m_depth = 0, m_terms = 0;
};

bool equal(const value& a, const value& b) {
  if (a.index() != b.index()) return false;
  return a == b;
}

/// In quotes, a long one shortened.
std::string shown(const std::string& text) {
  constexpr std::size_t longest = 200;
  return "'" + (text.size() > longest ? text.substr(0, longest) + "..." : text) + "'";
}

value evaluate(const term& t, const std::function<value(std::size_t)>& values) {
  const std::string& op = t.op;
  const auto child = [&](std::size_t i) { return evaluate(*t.children[i], values); };
  if (op == "const") return t.constant;
  if (op == "name") return values(t.name);
  if (op == "or") return truth(child(0), op) || truth(child(1), op);
  if (op == "and") return truth(child(0), op) && truth(child(1), op);
  if (op == "not") return !truth(child(0), op);
  if (op == "==") return equal(child(0), child(1));
  if (op == "!=") return !equal(child(0), child(1));
  if (op == "in") {
    const value wanted = child(0);
    for (const auto& c : t.children[1]->children)
      if (equal(wanted, evaluate(*c, values))) return true;
    return false;
  }
  const double a = number(child(0), op);
  if (op == "abs") return std::fabs(a);
  if (op == "floor") return std::floor(a);
  if (op == "ceil") return std::ceil(a);
  if (op == "round") return std::round(a);
  if (op == "log2") return std::log2(a);
  if (op == "sqrt") return std::sqrt(a);
  if (op == "min" || op == "max") {
    double out = a;
    for (std::size_t i = 1; i < t.children.size(); ++i) {
      const double v = number(child(i), op);
      out = op == "min" ? std::min(out, v) : std::max(out, v);
    }
    return out;
  }
  const double b = number(child(1), op);
  if (op == "<") return a < b;
  if (op == "<=") return a <= b;
  if (op == ">") return a > b;
  if (op == ">=") return a >= b;
  if (op == "+") return a + b;
  if (op == "-") return a - b;
  if (op == "*") return a * b;
  if (op == "**") return std::pow(a, b);
  if (b == 0) throw failure{"'" + op + "' by zero", "", ""};
  return op == "/" ? a / b : std::fmod(a, b);
}

}  // namespace

value to_value(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error == std::errc{} && end == text.data() + text.size()) return v;
  if (const auto q = parse_any_quantity(text)) return q->value;
  return text;
}

expression::expression(std::string text, const std::vector<std::string>& names, const std::string& where,
                       const std::string& key)
    : m_text(std::move(text)), m_where(where), m_key(key) {
  try {
    m_root = parser(m_text, names).parse();
  } catch (const failure& f) {
    throw input_error(problem{where, key, shown(m_text) + ": " + f.message, f.expected, f.nearest});
  }
}

expression::expression(expression&&) noexcept = default;
expression& expression::operator=(expression&&) noexcept = default;
expression::~expression() = default;

bool expression::test(const std::function<value(std::size_t)>& values) const {
  try {
    const value v = evaluate(*m_root, values);
    if (const auto* b = std::get_if<bool>(&v)) return *b;
    throw failure{std::string("gives ") + type_name(v), "true or false", ""};
  } catch (const failure& f) {
    throw input_error(problem{m_where, m_key, shown(m_text) + ": " + f.message, f.expected, f.nearest});
  }
}

}  // namespace memwall::sweep
