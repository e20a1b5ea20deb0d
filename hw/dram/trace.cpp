// SPDX-License-Identifier: Apache-2.0
// The driver's traffic from trace files, as other simulators read them.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <string_view>

#include "hw/common/error.h"
#include "hw/dram/driver.h"

namespace memwall::dram {
namespace {

__extension__ using wide = unsigned __int128;

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

bool has_prefix(std::string_view w) {
  return w.size() > 2 && w[0] == '0' && (w[1] == 'x' || w[1] == 'X');
}

bool parse_integer(std::string_view w, std::uint64_t& out, int base = 10) {
  if (has_prefix(w)) w.remove_prefix(2), base = 16;
  if (w.empty()) return false;
  const auto [end, failure] = std::from_chars(w.data(), w.data() + w.size(), out, base);
  return failure == std::errc{} && end == w.data() + w.size();
}

bool is_hexadecimal(std::string_view w) {
  if (has_prefix(w)) w.remove_prefix(2);
  return !w.empty() && std::all_of(w.begin(), w.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

/// What a request is called: -1 neither read nor write. The names of DRAMsim3's and DRAMSim2's trace formats are in.
int operation(std::string_view w) {
  std::string up;
  for (const char c : w) up += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const char* name : {"R", "RD", "READ", "LD", "LOAD", "IFETCH", "P_MEM_RD", "P_FETCH", "P_LOCK_RD", "P_LOCK_WR"})
    if (up == name) return 0;
  for (const char* name : {"W", "WR", "WRITE", "ST", "STORE", "P_MEM_WR", "BOFF"})
    if (up == name) return 1;
  return -1;
}

class trace_traffic : public traffic {
 public:
  trace_traffic(const std::string& path, const standard& s, const address_map& map, std::int64_t size,
                std::int64_t limit)
      : m_path(path),
        m_file(path),
        m_tck_fs(s.t.tck_fs),
        m_access(static_cast<std::uint64_t>(s.org.access_bytes())),
        m_size(size > 0 ? size : s.org.access_bytes()),
        m_left(limit > 0 ? limit : INT64_MAX),
        m_relative(path.size() > 5 && path.compare(path.size() - 5, 5, ".rstl") == 0) {
    if (!m_file) throw input_error(problem{path, "", "cannot be read", "a trace file", ""});
    // Time by cause is summed over all data buses, in picoseconds.
    const auto buses = static_cast<std::int64_t>(map.channels()) * s.org.pseudo_channels;
    m_last_cycle = static_cast<std::uint64_t>(wide{INT64_MAX / 2} * 1000 / static_cast<std::uint64_t>(m_tck_fs) /
                                              static_cast<std::uint64_t>(buses));
  }

  bool next(request& r) override {
    std::string line;
    while (m_left > 0 && std::getline(m_file, line)) {
      ++m_line;
      if (split(line) == 0) continue;
      if (m_order.empty()) detect(line);
      read(line, r);
      --m_left;
      return true;
    }
    if (m_file.bad()) fail("cannot be read further", "a readable file");
    if (m_order.empty() && m_left > 0) fail("holds no request", "lines like: 0x1f40 R 120");
    return false;
  }

 private:
  /// Columns are separated by white space or by commas. Both in one line: a list of numbers in a column.
  std::size_t split(const std::string& line) {
    m_words.clear();
    const std::string_view text = std::string_view(line).substr(0, line.find('#'));
    int blanks = 0, commas = 0;
    for (std::size_t i = 0; i < text.size();) {
      std::size_t end = i;
      bool comma = false;
      for (; end < text.size() && (is_space(text[end]) || text[end] == ','); ++end) comma |= text[end] == ',';
      if (!m_words.empty() && end > i && end < text.size()) ++(comma ? commas : blanks);
      i = end;
      while (end < text.size() && !is_space(text[end]) && text[end] != ',') ++end;
      if (end > i) m_words.push_back(text.substr(i, end - i));
      i = end;
    }
    if (blanks > 0 && commas > 0)
      fail("'" + line + "' holds a list of numbers", "one number for an address (a vector of its parts is not read)");
    return m_words.size();
  }

  [[noreturn]] void fail(const std::string& what, const std::string& expected) const {
    throw input_error(
        problem{m_path + ":" + std::to_string(std::max<std::int64_t>(m_line, 1)), "", what, expected, ""});
  }

  static char kind_of(std::string_view w) {
    std::uint64_t v = 0;
    if (operation(w) >= 0) return 'O';
    if (w.front() == '(' && w.back() == ')') return 'B';
    if (w.size() > 1 && w.back() == ':' && parse_integer(w.substr(0, w.size() - 1), v)) return 'C';
    if (has_prefix(w)) return 'A';
    return parse_integer(w, v) ? 'n' : '?';
  }

  /// What a column holds: A address, O operation, C cycle, B bytes. Lines of DRAMSys (CYCLE:) may end with the data of
  /// a write.
  void detect(const std::string& line) {
    std::string kinds;
    for (const auto& w : m_words) kinds += kind_of(w);
    m_with_data = kinds[0] == 'C';
    if (m_with_data) {  // its addresses are hexadecimal, with 0x or without
      const std::size_t address = kinds.find('O') == 1 && kinds.find('B') != 2 ? 2 : 3;
      if (kinds.size() > address && is_hexadecimal(m_words[address])) kinds[address] = 'A';
      if (kinds.size() == address + 2 && is_hexadecimal(m_words.back())) kinds.pop_back();
    }
    static const std::vector<std::pair<std::string, std::string>> formats = {
        {"AO", "AO"},     {"nO", "AO"},     {"AOn", "AOC"}, {"nOn", "AOC"}, {"OA", "OA"},
        {"On", "OA"},     {"OAn", "OAC"},   {"Onn", "OAC"}, {"COA", "COA"}, {"CAO", "CAO"},
        {"COBA", "COBA"}, {"CBOA", "CBOA"}, {"nAO", "CAO"}, {"nOA", "COA"}, {"AOA", "AOC"}};
    for (const auto& [seen, order] : formats)
      if (seen == kinds) m_order = order;
    if (m_order.empty())
      fail("'" + line + "' is in no known format",
           "0xADDR R|W [CYCLE], R|W ADDR [CYCLE], CYCLE: [(BYTES)] read|write 0xADDR [DATA], CYCLE 0xADDR R|W");
  }

  void read(const std::string& line, request& r) {
    const auto wrong = [&](const std::string& what, const std::string& expected = "the columns of the first request") {
      fail("'" + line + "': " + what, expected);
    };
    const bool data = m_with_data && m_words.size() == m_order.size() + 1 && is_hexadecimal(m_words.back());
    if (m_words.size() != m_order.size() && !data) wrong("another number of columns");
    r = request{};
    r.bytes = static_cast<std::uint32_t>(m_size);
    bool sized = false;
    for (std::size_t i = 0; i < m_order.size(); ++i) {
      std::string_view w = m_words[i];
      std::uint64_t v = 0;
      switch (m_order[i]) {
        case 'O': {
          const int op = operation(w);
          if (op < 0) wrong("no R or W");
          r.write = op == 1;
          break;
        }
        case 'A':
          if (!parse_integer(w, r.address, m_with_data ? 16 : 10)) wrong("no address");
          break;
        case 'B':
          if (w.size() < 3 || !parse_integer(w.substr(1, w.size() - 2), v) || v == 0 || v > (1u << 30))
            wrong("no size in bytes");
          r.bytes = static_cast<std::uint32_t>(v);
          sized = true;
          break;
        default:
          if (w.back() == ':') w.remove_suffix(1);
          if (!parse_integer(w, v)) wrong("no cycle");
          if (m_relative) v = wide{v} + m_cycle > m_last_cycle ? m_last_cycle + 1 : v + m_cycle;
          if (v > m_last_cycle)
            wrong("too late a cycle", "at most cycle " + std::to_string(m_last_cycle) + " of these channels together");
          m_cycle = v;
          r.not_before = static_cast<ps_t>((wide{v} * static_cast<std::uint64_t>(m_tck_fs) + 500) / 1000);
      }
    }
    // An access is the line that holds its address.
    if (!sized) r.address -= r.address % m_access;
  }

  std::string m_path;
  std::ifstream m_file;
  std::int64_t m_tck_fs;
  std::uint64_t m_access;
  std::int64_t m_size, m_left, m_line = 0;
  bool m_relative;  ///< times count from the request before (DRAMSys .rstl)
  bool m_with_data = false;
  std::uint64_t m_cycle = 0, m_last_cycle = 0;
  std::vector<std::string_view> m_words;
  std::string m_order;
};

}  // namespace

std::unique_ptr<traffic> open_trace(const std::string& path, const standard& s, const address_map& map,
                                    std::int64_t size, std::int64_t limit) {
  return std::make_unique<trace_traffic>(path, s, map, size, limit);
}

}  // namespace memwall::dram
