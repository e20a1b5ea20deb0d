// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/address_map.h"

#include <algorithm>
#include <cctype>

#include "hw/common/error.h"

namespace memwall::dram {
namespace {

// The pseudo-channel is the upper part of the rank, see organisation::pseudo_channels.
constexpr std::size_t field_total = 7, pseudo_channel = 6;
constexpr const char* field_names[field_total] = {"rank",   "bankgroup", "bank",         "row",
                                                  "column", "channel",   "pseudochannel"};

/// Words of the expression, and the two-letter codes.
int field_of(const std::string& word) {
  static const std::vector<std::pair<std::string, int>> words = {
      {"rank", 0}, {"ra", 0},      {"sid", 0}, {"bankgroup", 1}, {"bank_group", 1},   {"bg", 1},
      {"bank", 2}, {"ba", 2},      {"row", 3}, {"ro", 3},        {"column", 4},       {"col", 4},
      {"co", 4},   {"channel", 5}, {"ch", 5},  {"pc", 6},        {"pseudochannel", 6}};
  for (const auto& [name, f] : words)
    if (name == word) return f;
  return -1;
}

bool is_power_of_two(std::int64_t v) {
  return v > 0 && (v & (v - 1)) == 0;
}
int log2_of(std::int64_t v) {
  int out = 0;
  while (v > 1) v >>= 1, ++out;
  return out;
}

[[noreturn]] void fail(const std::string& expression, const std::string& what, const std::string& expected,
                       const std::string& nearest = {}) {
  throw input_error(problem{"", "map", "'" + expression + "': " + what, expected, nearest});
}

std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text + " ") {
    if (c == ' ' || c == '\t' || c == '\n' || c == ',') {
      if (!word.empty()) out.push_back(std::move(word));
      word.clear();
    } else {
      word += c;
    }
  }
  return out;
}

/// "RoBaRaCoCh" -> "ro ba bg ra co ch": without Bg, Ba means all banks of a rank, the group in its low bits.
std::string expand_codes(const std::string& word) {
  if (word.size() < 6 || word.size() % 2 != 0) return {};
  std::string out;
  const bool has_group = lower(word).find("bg") != std::string::npos;
  for (std::size_t i = 0; i < word.size(); i += 2) {
    const std::string code = lower(word.substr(i, 2));
    if (field_of(code) < 0) return {};
    out += code + " ";
    if (code == "ba" && !has_group) out += "bg ";
  }
  return out;
}

struct slice {
  int field = 0;
  int high = -1, low = 0;  ///< high -1: to the top
};

int digits(const std::string& text) {
  if (text.empty() || text.size() > 3) return -1;
  int v = 0;
  for (const char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) return -1;
    v = v * 10 + (c - '0');
  }
  return v;
}

/// "row[3:2]", "row[3]" or "row".
slice parse_slice(const std::string& expression, const std::string& text) {
  const auto bracket = text.find('[');
  slice out;
  const std::string name = lower(trim(text.substr(0, bracket)));
  out.field = field_of(name);
  if (out.field < 0)
    fail(expression, "unknown field '" + name + "' in a hash", "rank, bankgroup, bank, row, column or channel",
         nearest_name(name, {field_names, field_names + field_total}));
  if (out.field == static_cast<int>(pseudo_channel))
    fail(expression, "hashes pseudochannel", "rank, whose upper bits it is");
  if (bracket == std::string::npos) return out;
  const std::string inside = text.substr(bracket + 1, text.size() - bracket - 2);
  const auto colon = inside.find(':');
  out.high = digits(trim(inside.substr(0, colon)));
  out.low = colon == std::string::npos ? out.high : digits(trim(inside.substr(colon + 1)));
  if (text.back() != ']' || out.high < 0 || out.low < 0 || out.low > out.high)
    fail(expression, "'" + text + "' is no range of bits", "field[high:low] or field[bit]");
  return out;
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& address_map::named() {
  static const std::vector<std::pair<std::string, std::string>> maps = {
      {"bg_low", "row rank bank column bankgroup"},      // neighbouring bursts take turns between the bank groups
      {"column_low", "row rank bank bankgroup column"},  // a whole row, then the next bank
      {"bank_low", "row column rank bank bankgroup"},    // neighbouring bursts take turns between all banks
      {"row_high_hashed", "row rank bank column bankgroup ; bankgroup ^= row ; bank ^= row"},
      {"RoBaRaCoCh", "row bank bankgroup rank column channel"},
      {"RoRaBaCoCh", "row rank bank bankgroup column channel"},
      {"RoCoRaBaCh", "row column rank bank bankgroup channel"},
      {"RoRaBaChCo", "row rank bank bankgroup channel column"},
  };
  return maps;
}

address_map::address_map(const address_map_params& params, const organisation& org) {
  parse(params, org);
}

void address_map::parse(const address_map_params& params, const organisation& org) {
  std::string expression = params.expression.empty() ? "bg_low" : params.expression;
  const std::string given = expression;
  // A name or a code word stands for its fields; hashes may follow either.
  {
    const auto semicolon = expression.find(';');
    const std::string head = trim(expression.substr(0, semicolon));
    const std::string tail = semicolon == std::string::npos ? "" : " ; " + expression.substr(semicolon + 1);
    bool found = false;
    for (const auto& [name, fields] : named())
      if (lower(name) == lower(head)) expression = fields + tail, found = true;
    const auto head_words = words_of(head);
    if (!found && head_words.size() == 1 && head.find(':') == std::string::npos) {
      const std::string codes = expand_codes(head);
      if (!codes.empty()) {
        expression = codes + tail;
      } else if (field_of(lower(head)) < 0) {
        std::vector<std::string> names;
        for (const auto& [name, unused] : named()) names.push_back(name);
        fail(given, "unknown address map",
             "one of " + joined(names) + ", or fields from the most significant: row bank column bankgroup",
             nearest_name(head, names));
      }
    }
  }

  if (params.channels < 1)
    throw input_error(problem{"", "channels", "got " + std::to_string(params.channels), "at least 1", ""});
  m_channels = params.channels;
  m_access_bytes = org.access_bytes();
  if (is_power_of_two(m_access_bytes)) m_access_bits = log2_of(m_access_bytes);
  std::array<std::int64_t, field_total> sizes = {org.ranks,   org.bank_groups, org.banks_per_group, org.rows,
                                                 org.columns, m_channels,      org.pseudo_channels};

  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= expression.size();) {
    const auto semicolon = std::min(expression.find(';', at), expression.size());
    parts.push_back(trim(expression.substr(at, semicolon - at)));
    at = semicolon + 1;
  }

  // Fields, from the most significant; m_pieces is from the least.
  struct token {
    std::size_t field;
    int width;  // -1: the rest of its field
  };
  std::vector<token> tokens;
  for (const auto& word : words_of(parts[0])) {
    const auto colon = word.find(':');
    const std::string name = lower(word.substr(0, colon));
    const int f = field_of(name);
    if (f < 0)
      fail(given, "unknown field '" + name + "'", "rank, bankgroup, bank, row, column or channel",
           nearest_name(name, {field_names, field_names + field_total}));
    int width = -1;
    if (colon != std::string::npos) {
      width = digits(word.substr(colon + 1));
      if (width < 0 || width > 40) fail(given, "'" + word + "' has no width in bits", "field:bits, e.g. column:7");
    }
    tokens.push_back({static_cast<std::size_t>(f), width});
  }
  bool split_rank = false;
  for (const auto& t : tokens) split_rank = split_rank || t.field == pseudo_channel;
  if (split_rank) sizes[rank] = org.ranks / org.pseudo_channels;
  for (std::size_t f = 0; f < field_total; ++f) {
    std::int64_t known = 1;
    int open = 0, count = 0;
    for (const auto& t : tokens) {
      if (t.field != f) continue;
      ++count;
      if (t.width < 0)
        ++open;
      else
        known <<= t.width;
    }
    const std::string size = std::to_string(sizes[f]);
    if (f == channel && count > 1) fail(given, "channel comes more than once", "at most one piece of channel");
    if (open > 1)
      fail(given, std::string(field_names[f]) + " has more than one piece without a width",
           "a width on all pieces but one");
    if (count == 0 && sizes[f] > 1 && f != channel && f != pseudo_channel)
      fail(given, std::string("lacks ") + field_names[f], std::string(field_names[f]) + " (" + size + " values)");
    if (count != 0 && (open == 1 ? sizes[f] % known != 0 : known != sizes[f]))
      fail(given, std::string(field_names[f]) + " has " + std::to_string(known) + " values in its widths",
           size + " values" +
               (is_power_of_two(sizes[f]) ? " (" + std::to_string(log2_of(sizes[f])) + " bits)"
                                          : "; leave out one width of a field that is no power of two"));
    for (auto& t : tokens)  // an open piece becomes its radix, kept negative
      if (t.field == f && t.width < 0) t.width = -static_cast<int>(sizes[f] / known);
  }

  std::array<std::int64_t, field_total> below{1, 1, 1, 1, 1, 1, sizes[rank]};
  if (split_rank && !is_power_of_two(sizes[rank])) m_power_of_two = false;  // a rank is then no string of bits
  std::int64_t weight = 1;
  m_interleave_bursts = 0;
  for (auto t = tokens.rbegin(); t != tokens.rend(); ++t) {
    const std::int64_t radix = t->width < 0 ? -std::int64_t{t->width} : std::int64_t{1} << t->width;
    if (t->field == channel) {
      m_interleave_bursts = weight;
      m_channel_written = true;
      continue;
    }
    if (radix == 1) continue;
    if (static_cast<std::size_t>(m_piece_count) == m_pieces.size()) fail(given, "has too many pieces", "at most 24");
    piece& p = m_pieces[static_cast<std::size_t>(m_piece_count++)];
    p.field = t->field == pseudo_channel ? std::size_t{rank} : t->field;
    p.radix = radix;
    p.weight = weight;
    p.field_weight = below[t->field];
    p.pseudo_channel = t->field == pseudo_channel;
    m_power_of_two = m_power_of_two && is_power_of_two(radix);
    weight *= radix;
    below[t->field] *= radix;
  }
  m_local_bursts = weight;
  for (int i = 0; i < m_piece_count; ++i) {
    piece& p = m_pieces[static_cast<std::size_t>(i)];
    p.shift = log2_of(p.weight);
    p.field_shift = log2_of(p.field_weight);
    p.mask = static_cast<std::uint64_t>(p.radix - 1);
  }

  if (m_interleave_bursts == 0) {
    if (params.interleave < m_access_bytes || params.interleave % m_access_bytes != 0)
      throw input_error(problem{"", "interleave", "got " + std::to_string(params.interleave) + " B",
                                "a multiple of the access size, " + std::to_string(m_access_bytes) + " B", ""});
    m_interleave_bursts = params.interleave / m_access_bytes;
  }
  if (m_local_bursts % m_interleave_bursts != 0)
    throw input_error(problem{"", "interleave", "got " + std::to_string(m_interleave_bursts * m_access_bytes) + " B",
                              "a divisor of the channel's capacity", ""});

  sizes[rank] = org.ranks;
  int highest_row_bit = -1;
  bool row_hashed = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto op = parts[i].find("^=");
    if (parts[i].empty()) continue;
    if (op == std::string::npos) fail(given, "'" + parts[i] + "' is no hash", "field ^= field[high:low]");
    slice target = parse_slice(given, trim(parts[i].substr(0, op)));
    slice source = parse_slice(given, trim(parts[i].substr(op + 2)));
    for (const slice* s : {&target, &source}) {
      const auto f = static_cast<std::size_t>(s->field);
      if (!is_power_of_two(sizes[f]))
        fail(given, std::string("hashes ") + field_names[f] + ", which has " + std::to_string(sizes[f]) + " values",
             "a field whose size is a power of two");
      if (s->high >= log2_of(sizes[f]))
        fail(given, std::string(field_names[f]) + " has no bit " + std::to_string(s->high),
             "bits 0 to " + std::to_string(log2_of(sizes[f]) - 1));
    }
    if (target.field == source.field || source.field == channel)
      fail(given, "'" + parts[i] + "' reads " + field_names[source.field],
           "two different fields, the right one not channel");
    const int target_bits = log2_of(sizes[static_cast<std::size_t>(target.field)]);
    if (target.high < 0) target.high = target_bits - 1;
    const int target_width = target.high - target.low + 1;
    if (target_width <= 0) continue;  // a field of one value: nothing to spread
    if (source.high < 0)              // the whole field: as many low bits as the target has
      source.high = std::min(log2_of(sizes[static_cast<std::size_t>(source.field)]), target_width) - 1;
    const int source_width = source.high - source.low + 1;
    if (source_width <= 0) continue;
    if (source_width > target_width)
      fail(given, "'" + parts[i] + "' has more bits on the right", "at most " + std::to_string(target_width) + " bits");
    hash h;
    h.target = static_cast<std::size_t>(target.field);
    h.source = static_cast<std::size_t>(source.field);
    h.shift = source.low;
    h.target_shift = target.low;
    h.mask = (std::int64_t{1} << source_width) - 1;
    if (h.target == channel) {
      // A block must lie in one channel, so the hash may read only what is constant within it.
      for (int k = 0; k < m_piece_count; ++k) {
        const piece& p = m_pieces[static_cast<std::size_t>(k)];
        const int low = log2_of(p.field_weight), high = low + log2_of(p.radix) - 1;
        if (p.field == h.source && low <= source.high && high >= source.low && p.weight < m_interleave_bursts)
          fail(given, "'" + parts[i] + "' reads bits below the channel interleave", "bits above it, e.g. of the row");
      }
      m_channel_hashes.push_back(h);
    } else {
      m_hashes.push_back(h);
      if (h.source == row) highest_row_bit = std::max(highest_row_bit, source.high);
      row_hashed = row_hashed || h.target == row;
    }
  }

  m_period_bursts = m_local_bursts;
  for (int i = m_piece_count - 1; i >= 0; --i) {
    const piece& p = m_pieces[static_cast<std::size_t>(i)];
    if (p.field != row || p.field_weight != 1 || row_hashed) continue;
    m_period_rows = std::int64_t{1} << (highest_row_bit + 1);
    if (p.radix % m_period_rows != 0) break;
    m_period_bursts = p.weight * m_period_rows;
    m_periods = p.radix / m_period_rows;
  }
  for (int i = 0; i < m_piece_count; ++i) {
    const piece& p = m_pieces[static_cast<std::size_t>(i)];
    if (p.field == column && p.weight >= m_period_bursts) m_apart = false;
  }
}

int address_map::channel_hash_of(std::int64_t local_block) const {
  std::array<std::int64_t, 5> f{};
  decode_mixed(local_block * m_interleave_bursts, f);
  std::int64_t out = 0;
  for (const hash& h : m_channel_hashes) out ^= (f[h.source] >> h.shift & h.mask) << h.target_shift;
  return static_cast<int>(out);
}

void address_map::decode_mixed(std::int64_t local_burst, std::array<std::int64_t, 5>& f) const {
  for (int i = 0; i < m_piece_count; ++i) {
    const piece& p = m_pieces[static_cast<std::size_t>(i)];
    f[p.field] += local_burst / p.weight % p.radix * p.field_weight;
  }
}

std::int64_t address_map::encode_local(const local_location& at) const {
  std::array<std::int64_t, 5> f{at.rank, at.bank_group, at.bank, at.row, at.column};
  for (auto h = m_hashes.rbegin(); h != m_hashes.rend(); ++h)
    f[h->target] ^= (f[h->source] >> h->shift & h->mask) << h->target_shift;
  std::int64_t out = 0;
  for (int i = 0; i < m_piece_count; ++i) {
    const piece& p = m_pieces[static_cast<std::size_t>(i)];
    out += f[p.field] / p.field_weight % p.radix * p.weight;
  }
  return out;
}

std::uint64_t address_map::address_of(int channel_index, std::int64_t local_burst) const {
  const std::int64_t block = local_burst / m_interleave_bursts;
  const int raw = channel_index ^ channel_hash(block);
  const std::int64_t burst = (block * m_channels + raw) * m_interleave_bursts + local_burst % m_interleave_bursts;
  return static_cast<std::uint64_t>(burst) * static_cast<std::uint64_t>(m_access_bytes);
}

std::uint64_t address_map::encode(const location& at) const {
  return address_of(at.channel, encode_local(at));
}

std::vector<channel_run> address_map::split(std::uint64_t address, std::uint64_t bytes) const {
  std::vector<channel_run> out;
  for_each_run(address, bytes, [&](const channel_run& r) { out.push_back(r); });
  return out;
}

std::string address_map::text() const {
  std::string out;
  bool channel_due = m_channel_written;
  for (int i = m_piece_count - 1; i >= -1; --i) {
    const std::int64_t weight = i < 0 ? 0 : m_pieces[static_cast<std::size_t>(i)].weight;
    if (channel_due && weight < m_interleave_bursts) {
      out += out.empty() ? "channel" : " channel";
      channel_due = false;
    }
    if (i < 0) break;
    const piece& p = m_pieces[static_cast<std::size_t>(i)];
    out += (out.empty() ? "" : " ") + std::string(field_names[p.pseudo_channel ? pseudo_channel : p.field]);
    if (is_power_of_two(p.radix)) out += ":" + std::to_string(log2_of(p.radix));
  }
  const auto write = [&](const hash& h) {
    const int width = log2_of(h.mask + 1);
    out += std::string(" ; ") + field_names[h.target] + "[" + std::to_string(h.target_shift + width - 1) + ":" +
           std::to_string(h.target_shift) + "] ^= " + field_names[h.source] + "[" +
           std::to_string(h.shift + width - 1) + ":" + std::to_string(h.shift) + "]";
  };
  for (const hash& h : m_hashes) write(h);
  for (const hash& h : m_channel_hashes) write(h);
  return out;
}

}  // namespace memwall::dram
