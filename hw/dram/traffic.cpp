// SPDX-License-Identifier: Apache-2.0
// The driver's traffic: defined patterns.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "hw/common/error.h"
#include "hw/common/quantity.h"
#include "hw/dram/driver.h"

namespace memwall::dram {
namespace {

/// SplitMix64's output function: the pattern b that other simulators were run with is defined by it.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t mebi = 1024 * 1024;

class pattern_traffic : public traffic {
 public:
  enum class kind { sequential, random, mixed };
  kind what = kind::sequential;
  std::int64_t requests = 1'000'000;
  std::uint64_t size = 64, stride = 64, range = 1, seed = 0;
  std::uint64_t places = 1;  ///< random: requests within the range
  std::uint64_t reads = 2, writes = 1;
  std::int64_t period_fs = 0;

  bool next(request& r) override {
    if (m_next == requests) return false;
    const auto i = static_cast<std::uint64_t>(m_next++);
    r.bytes = static_cast<std::uint32_t>(size);
    r.write = false;
    r.not_before = when(i);
    switch (what) {
      case kind::sequential:
        r.address = i * stride % range;
        break;
      case kind::random:
        r.address = mix(i + seed) % places * size;
        break;
      case kind::mixed: {
        const std::uint64_t group = i / (reads + writes), at = i % (reads + writes);
        r.write = at >= reads;
        r.address = r.write ? 512 * mebi + (group * writes + at - reads) * size : (group * reads + at) * size;
      }
    }
    return true;
  }

  transfer as_one() const override {
    transfer t;
    if (what == kind::mixed) return mix_as_one();
    // (Requests that are no whole accesses have accesses of their own each.)
    if (what != kind::sequential || stride != size || range % size != 0 || size % burst != 0)
      return t;                           // what is larger than the memory wraps
    if (period_fs % 1000 != 0) return t;  // a pace is in whole picoseconds
    t.bytes = static_cast<std::uint64_t>(requests) * size;
    t.pace = period_fs / 1000 * static_cast<std::int64_t>(burst) / static_cast<std::int64_t>(size);
    if (t.pace * static_cast<std::int64_t>(size) != period_fs / 1000 * static_cast<std::int64_t>(burst)) t.bytes = 0;
    if (size != burst && period_fs != 0) t.bytes = 0;  // a request's bursts come together, not paced
    return t;
  }
  std::uint64_t burst = 64;
  int channels = 1;

 private:
  /// Longer turns would make long blocks of replay; those of a single direction are not worth a rule.
  transfer mix_as_one() const {
    transfer t;
    if (channels != 1 || reads == 0 || writes == 0 || reads + writes > 128 || size != burst || period_fs != 0) return t;
    t.bytes = static_cast<std::uint64_t>(requests) * size;
    t.reads = static_cast<std::int32_t>(reads);
    t.writes = static_cast<std::int32_t>(writes);
    t.written = 512 * mebi;
    return t;
  }
  ps_t when(std::uint64_t i) const {
    // Rounded up to a picosecond: never before its time. 128 bits, for long runs at low load.
    if (period_fs == 0) return 0;
    __extension__ using wide = unsigned __int128;
    return static_cast<ps_t>((wide{i} * static_cast<std::uint64_t>(period_fs) + 999) / 1000);
  }
  std::int64_t m_next = 0;
};

bool parse_integer(std::string_view text, std::uint64_t& out) {
  int base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) text.remove_prefix(2), base = 16;
  if (text.empty()) return false;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return failure == std::errc{} && end == text.data() + text.size();
}

[[noreturn]] void bad_pattern(const std::string& text, const std::string& why) {
  const std::string word = text.substr(0, text.find(':'));
  const std::vector<std::string> words = {"seq", "random", "stride", "mix"};
  const bool known = std::find(words.begin(), words.end(), word) != words.end();
  throw input_error(problem{"--pattern", "", "'" + text + "' " + why,
                            "seq, random, stride:BYTES, mix:R:W, or a, b, c, d, e",
                            known ? "" : nearest_name(word, words)});
}

/// "4096" or "4KiB".
std::uint64_t parse_bytes(const std::string& pattern, const std::string& text) {
  std::uint64_t out = 0;
  double bytes = 0;
  std::string ignored;
  if (parse_integer(text, out)) return out;
  if (!parse_quantity(text, "size", bytes, ignored) || bytes < 1) bad_pattern(pattern, "has no size");
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

std::unique_ptr<traffic> make_pattern(const pattern_params& p, const standard& s, const address_map& map) {
  auto out = std::make_unique<pattern_traffic>();
  const auto burst = static_cast<std::uint64_t>(s.org.access_bytes());
  const auto capacity = static_cast<std::uint64_t>(map.capacity_bytes());
  out->burst = burst;
  out->channels = map.channels();
  out->size = p.size > 0 ? static_cast<std::uint64_t>(p.size) : burst;
  out->stride = out->size;
  out->range = capacity;
  out->seed = p.seed;
  if (out->size > capacity)
    throw input_error(problem{"--bytes", "", "got " + std::to_string(out->size),
                              "at most the capacity, " + std::to_string(capacity), ""});
  double load = p.load;
  const std::string& text = p.pattern;
  if (text == "seq" || text == "a") {
  } else if (text == "b") {
    out->what = pattern_traffic::kind::random;
    out->requests = 200'000;
    out->range = 1024 * mebi;  // wraps where the memory is smaller
  } else if (text == "random") {
    out->what = pattern_traffic::kind::random;
  } else if (text == "c") {
    out->what = pattern_traffic::kind::mixed;
  } else if (text == "d") {
    if (load == 0) load = 0.5;
  } else if (text == "e") {
    if (load == 0) load = 0.01;
    out->requests = 100'000;
  } else if (text.rfind("stride:", 0) == 0) {
    out->stride = parse_bytes(text, text.substr(7));
    if (out->stride == 0) bad_pattern(text, "has no size");
  } else if (text.rfind("mix:", 0) == 0) {
    const auto colon = text.find(':', 4);
    out->what = pattern_traffic::kind::mixed;
    if (colon == std::string::npos || !parse_integer(std::string_view(text).substr(4, colon - 4), out->reads) ||
        !parse_integer(std::string_view(text).substr(colon + 1), out->writes) || out->reads + out->writes == 0 ||
        out->reads > 1'000'000 || out->writes > 1'000'000)
      bad_pattern(text, "is no ratio of reads and writes");
  } else {
    bad_pattern(text, "is no pattern");
  }
  out->places = out->range / out->size;
  if (p.requests > 0) out->requests = p.requests;
  if (load < 0 || load > 100)
    throw input_error(problem{"--load", "", "got " + std::to_string(load), "a share of peak, 0 to 100", ""});
  if (load > 0)
    out->period_fs =
        std::llround(static_cast<double>(out->size) / (s.peak_bytes_per_s() * map.channels() * load) * 1e15);
  return out;
}

}  // namespace memwall::dram
