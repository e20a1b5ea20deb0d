// SPDX-License-Identifier: Apache-2.0
// A small reader of value change dumps (IEEE 1364-2005, clause 18, and GTKWave's string values), for tests of
// waveforms. It shares no code with what writes them, and refuses what the standard does not allow.
#pragma once
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace memwall::test {

struct vcd_change {
  std::int64_t at_ps;
  std::string value;  ///< scalars "0"; vectors without leading zeros "101"; reals and strings as written
};

struct vcd_signal {
  std::string name;  ///< scopes and name, with dots: "top.bus.owner"
  std::string type;  ///< wire, reg, integer, real, event, string, ...
  int width = 1;
  std::shared_ptr<std::vector<vcd_change>> changes =
      std::make_shared<std::vector<vcd_change>>();  ///< shared by aliases

  /// Value at a time (the last change up to and including it); "x" before the first.
  const std::string& at(std::int64_t t_ps) const {
    static const std::string unknown = "x";
    const auto it = std::upper_bound(changes->begin(), changes->end(), t_ps,
                                     [](std::int64_t t, const vcd_change& c) { return t < c.at_ps; });
    return it == changes->begin() ? unknown : std::prev(it)->value;
  }
  /// The value as an unsigned number. Throws std::runtime_error when some of its bits are x or z.
  static std::uint64_t number(const std::string& value) {
    std::uint64_t n = 0;
    if (value.empty() || value.size() > 64)
      throw std::runtime_error("vcd: '" + value + "' is no number of up to 64 bits");
    for (const char c : value) {
      if (c != '0' && c != '1') throw std::runtime_error("vcd: '" + value + "' is no number");
      n = 2 * n + static_cast<std::uint64_t>(c - '0');
    }
    return n;
  }
  std::uint64_t number_at(std::int64_t t_ps) const { return number(at(t_ps)); }
  /// Picoseconds in [from, to) during which `holds(value)`.
  template <class F>
  std::int64_t time_where(F holds, std::int64_t from_ps, std::int64_t to_ps) const {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < changes->size(); ++i) {
      const std::int64_t a = std::max((*changes)[i].at_ps, from_ps);
      const std::int64_t b = std::min(i + 1 < changes->size() ? (*changes)[i + 1].at_ps : to_ps, to_ps);
      if (b > a && holds((*changes)[i].value)) sum += b - a;
    }
    return sum;
  }
  std::int64_t time_at(const std::string& value, std::int64_t from_ps, std::int64_t to_ps) const {
    return time_where([&](const std::string& v) { return v == value; }, from_ps, to_ps);
  }
  /// As time_at("1"), for signals that tell whether something is busy.
  std::int64_t busy_ps(std::int64_t from_ps, std::int64_t to_ps) const { return time_at("1", from_ps, to_ps); }
};

class vcd_file {
 public:
  /// Throws std::runtime_error with the line number when the file breaks a rule.
  static vcd_file parse(std::istream& in) {
    vcd_file f;
    f.read(in);
    return f;
  }
  static vcd_file open(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("vcd: " + path + " cannot be read");
    return parse(in);
  }

  const std::vector<vcd_signal>& signals() const { return m_signals; }
  std::int64_t timescale_fs() const { return m_timescale_fs; }
  std::int64_t first_ps() const { return m_first; }
  std::int64_t last_ps() const { return m_last; }
  const std::vector<std::string>& comments() const { return m_comments; }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  const vcd_signal& operator[](const std::string& name) const {
    if (const auto* s = find(name)) return *s;
    throw std::runtime_error("vcd: no signal " + name);
  }
  /// Names that start with `prefix`, in the order of the file.
  std::vector<std::string> names(const std::string& prefix = "") const {
    std::vector<std::string> out;
    for (const auto& s : m_signals)
      if (s.name.rfind(prefix, 0) == 0) out.push_back(s.name);
    return out;
  }

 private:
  const vcd_signal* find(const std::string& name) const {
    for (const auto& s : m_signals)
      if (s.name == name) return &s;
    return nullptr;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("vcd:" + std::to_string(m_line) + ": " + what);
  }

  bool word(std::istream& in, std::string& out) {
    out.clear();
    int c = in.get();
    while (c != EOF && std::isspace(c)) {
      if (c == '\n') ++m_line;
      c = in.get();
    }
    while (c != EOF && !std::isspace(c)) {
      out += static_cast<char>(c);
      c = in.get();
    }
    if (c == '\n') in.unget();
    return !out.empty();
  }
  std::vector<std::string> until_end(std::istream& in, const std::string& keyword) {
    std::vector<std::string> out;
    std::string w;
    while (word(in, w)) {
      if (w == "$end") return out;
      out.push_back(w);
    }
    fail(keyword + " has no $end");
  }

  void timescale(const std::vector<std::string>& words) {
    std::string t;
    for (const auto& w : words) t += w;
    static const std::map<std::string, std::int64_t> units = {{"s", 1'000'000'000'000'000},
                                                              {"ms", 1'000'000'000'000},
                                                              {"us", 1'000'000'000},
                                                              {"ns", 1'000'000},
                                                              {"ps", 1000},
                                                              {"fs", 1}};
    std::size_t digits = 0;
    while (digits < t.size() && std::isdigit(static_cast<unsigned char>(t[digits]))) ++digits;
    const auto unit = units.find(t.substr(digits));
    const std::string n = t.substr(0, digits);
    if (unit == units.end() || (n != "1" && n != "10" && n != "100")) fail("timescale '" + t + "'");
    m_timescale_fs = std::stoll(n) * unit->second;
  }

  void header(std::istream& in) {
    std::string w;
    std::vector<std::string> scopes;
    while (word(in, w)) {
      if (w == "$enddefinitions") {
        until_end(in, w);
        if (!scopes.empty()) fail("a scope is still open at $enddefinitions");
        if (m_timescale_fs == 0) fail("no $timescale");
        return;
      }
      const auto rest = w[0] == '$' ? until_end(in, w) : std::vector<std::string>{};
      if (w == "$timescale") {
        timescale(rest);
      } else if (w == "$scope") {
        if (rest.size() != 2) fail("$scope needs a type and a name");
        scopes.push_back(rest[1]);
      } else if (w == "$upscope") {
        if (scopes.empty()) fail("$upscope without $scope");
        scopes.pop_back();
      } else if (w == "$var") {
        if (rest.size() < 4) fail("$var needs type, width, identifier and name");
        vcd_signal s;
        s.type = rest[0];
        s.width = std::stoi(rest[1]);
        if (s.width < 0 || (s.width == 0 && s.type != "string" && s.type != "event")) fail("width of " + rest[3]);
        for (const auto& scope : scopes) s.name += scope + ".";
        s.name += rest[3];  // a range "[7:0]" behind it says nothing new
        const auto [it, is_new] = m_by_code.try_emplace(rest[2], m_signals.size());
        if (!is_new) s.changes = m_signals[it->second].changes;
        if (find(s.name) != nullptr) fail("two signals " + s.name);
        m_signals.push_back(std::move(s));
      } else if (w == "$comment" || w == "$date" || w == "$version") {
        std::string text;
        for (const auto& r : rest) text += (text.empty() ? "" : " ") + r;
        if (w == "$comment") m_comments.push_back(text);
      } else if (w[0] != '$') {
        fail("'" + w + "' before $enddefinitions");
      }  // other keywords are extensions: $attrbegin and the like
    }
    fail("no $enddefinitions");
  }

  void change(const std::string& code, std::string value, char kind) {
    const auto it = m_by_code.find(code);
    if (it == m_by_code.end()) fail("value of an undeclared identifier '" + code + "'");
    const vcd_signal& s = m_signals[it->second];
    if (kind == 'b') {
      if (static_cast<int>(value.size()) > s.width) fail(s.name + ": more bits than declared");
      if (value.find_first_not_of("01xXzZ") != std::string::npos || value.empty())
        fail(s.name + ": value '" + value + "'");
      const auto first = value.find_first_not_of('0');
      value = first == std::string::npos ? "0" : value.substr(first);
    } else if (kind == 'r') {
      if (s.type != "real") fail(s.name + ": a real value of a signal that is not real");
      std::size_t used = 0;
      try {
        std::stod(value, &used);
      } catch (const std::exception&) {
        used = 0;
      }
      if (used != value.size() || value.empty()) fail(s.name + ": '" + value + "' is no real number");
    } else if (kind == '1' && s.width != 1) {
      fail(s.name + ": a scalar value of a vector");
    }
    auto& list = *s.changes;
    if (!list.empty() && list.back().at_ps == m_now)
      list.back().value = std::move(value);
    else
      list.push_back({m_now, std::move(value)});
  }

  void body(std::istream& in) {
    std::string w, code;
    bool timed = false, dumping = false;
    while (word(in, w)) {
      const char c = w[0];
      if (c == '#') {
        if (w.size() < 2 || w.find_first_not_of("0123456789", 1) != std::string::npos) fail("time '" + w + "'");
        const std::int64_t t_fs = std::stoll(w.substr(1)) * m_timescale_fs;
        if (t_fs % 1000 != 0) fail("a time that is no whole picosecond");
        const std::int64_t t = t_fs / 1000;
        if (timed && t <= m_now) fail("time does not grow");
        if (!timed) m_first = t;
        m_now = m_last = t;
        timed = true;
      } else if (w == "$dumpvars" || w == "$dumpall" || w == "$dumpon" || w == "$dumpoff") {
        if (dumping) fail(w + " inside another dump");
        dumping = true;
      } else if (w == "$end") {
        if (!dumping) fail("$end of nothing");
        dumping = false;
      } else if (w == "$comment") {
        std::string text;
        for (const auto& r : until_end(in, w)) text += (text.empty() ? "" : " ") + r;
        m_comments.push_back(text);
      } else {
        if (!timed && !dumping) fail("a value before the first time");
        if (c == '0' || c == '1' || c == 'x' || c == 'X' || c == 'z' || c == 'Z') {
          change(w.substr(1), std::string(1, c), '1');
        } else if (c == 'b' || c == 'B' || c == 'r' || c == 'R' || c == 's' || c == 'S') {
          if (!word(in, code)) fail("a value without an identifier");
          change(code, w.substr(1), static_cast<char>(std::tolower(c)));
        } else {
          fail("'" + w + "' is no value change");
        }
      }
    }
    if (dumping) fail("a dump has no $end");
  }

  void read(std::istream& in) {
    header(in);
    body(in);
  }

  std::vector<vcd_signal> m_signals;
  std::map<std::string, std::size_t> m_by_code;
  std::vector<std::string> m_comments;
  std::int64_t m_timescale_fs = 0, m_now = 0, m_first = 0, m_last = 0;
  std::size_t m_line = 1;
};

/// State names of a signal from a GTKWave translation file: lines "value name", '#' starts a comment.
inline std::map<std::string, std::string> read_vcd_names(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error("vcd: " + path + " cannot be read");
  std::map<std::string, std::string> out;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto space = line.find(' ');
    if (space == std::string::npos) throw std::runtime_error("vcd: " + path + ": '" + line + "' has no name");
    out[line.substr(0, space)] = line.substr(space + 1);
  }
  return out;
}

}  // namespace memwall::test
