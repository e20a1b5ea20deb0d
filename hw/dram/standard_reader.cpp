// SPDX-License-Identifier: Apache-2.0
#include "hw/dram/standard_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "hw/common/quantity.h"
#include "hw/dram/address_map.h"
#include "hw/dram/energy.h"

namespace memwall::dram {
namespace {

using config::node;

constexpr std::int64_t femto = 1'000'000'000'000'000;

struct timing_key {
  const char* name;
  int timing::*member;
  int low, high;
};

// In the order of the JEDEC tables. BL has its own default, see read_timing.
const std::vector<timing_key>& timing_keys() {
  static const std::vector<timing_key> keys = {
      {"BL", &timing::BL, 1, 64},
      {"CL", &timing::CL, 1, 500},
      {"CWL", &timing::CWL, 1, 500},
      {"RCDRD", &timing::RCDRD, 1, 500},
      {"RCDWR", &timing::RCDWR, 1, 500},
      {"RP", &timing::RP, 1, 500},
      {"RAS", &timing::RAS, 1, 1000},
      {"RC", &timing::RC, 1, 1500},
      {"RPab", &timing::RPab, 0, 500},
      {"CCD_S", &timing::CCD_S, 1, 200},
      {"CCD_L", &timing::CCD_L, 1, 200},
      {"CCD_S_WR", &timing::CCD_S_WR, 1, 200},
      {"CCD_L_WR", &timing::CCD_L_WR, 1, 200},
      {"CCD_R", &timing::CCD_R, 0, 200},
      {"RRD_S", &timing::RRD_S, 1, 200},
      {"RRD_L", &timing::RRD_L, 1, 200},
      {"FAW", &timing::FAW, 0, 500},
      {"WTR_S", &timing::WTR_S, 0, 500},
      {"WTR_L", &timing::WTR_L, 0, 500},
      {"RTP", &timing::RTP, 1, 500},
      {"WR", &timing::WR, 0, 500},
      {"RTW", &timing::RTW, 0, 500},
      {"CS", &timing::CS, 0, 100},
      {"PPD", &timing::PPD, 0, 100},
      {"RFC", &timing::RFC, 1, 10'000},
      {"REFI", &timing::REFI, 16, 1'000'000},
      {"RFCpb", &timing::RFCpb, 0, 10'000},
      {"REFIpb", &timing::REFIpb, 0, 1'000'000},
      {"RREFD", &timing::RREFD, 0, 1000},
      {"refresh_banks", &timing::refresh_banks, 1, 64},
      {"ACT_CK", &timing::ACT_CK, 1, 8},
      {"CAS_CK", &timing::CAS_CK, 1, 8},
  };
  return keys;
}

struct energy_key {
  const char* name;
  double energy_table::*member;
  enum { row, burst, power } per;  ///< what a value in pJ/bit is multiplied with
};

const std::vector<energy_key>& energy_keys() {
  static const std::vector<energy_key> keys = {
      {"act", &energy_table::act_pj, energy_key::row},
      {"read", &energy_table::read_pj, energy_key::burst},
      {"write", &energy_table::write_pj, energy_key::burst},
      {"io_read", &energy_table::io_read_pj, energy_key::burst},
      {"io_write", &energy_table::io_write_pj, energy_key::burst},
      {"refresh", &energy_table::refresh_pj, energy_key::row},
      {"refresh_pb", &energy_table::refresh_pb_pj, energy_key::row},
      {"background", &energy_table::background_mw, energy_key::power},
      {"active", &energy_table::active_mw, energy_key::power},
  };
  return keys;
}

const std::vector<std::pair<std::string, double idd_currents::*>>& idd_keys() {
  static const std::vector<std::pair<std::string, double idd_currents::*>> keys = {
      {"VDD", &idd_currents::vdd},        {"VPP", &idd_currents::vpp},     {"IDD0", &idd_currents::idd0},
      {"IDD2N", &idd_currents::idd2n},    {"IDD3N", &idd_currents::idd3n}, {"IDD4R", &idd_currents::idd4r},
      {"IDD4W", &idd_currents::idd4w},    {"IDD5B", &idd_currents::idd5b}, {"IPP0", &idd_currents::ipp0},
      {"devices", &idd_currents::devices}};
  return keys;
}

bool parse_number(const std::string& text, double& out, std::string& rest) {
  std::size_t used = 0;
  try {
    out = std::stod(text, &used);
  } catch (const std::exception&) {
    return false;
  }
  rest = text.substr(used);
  while (!rest.empty() && rest.front() == ' ') rest.erase(0, 1);
  return std::isfinite(out);
}

/// "22", "22 nCK", "13.75 ns", "max(8 nCK, 5 ns)" in clocks. Times round up, but for the 3 % of a clock that
/// the standards allow for rounded clock periods (JESD79-4 and JESD79-5, rounding algorithms).
std::optional<std::int64_t> to_clocks(const std::string& text, std::int64_t tck_fs) {
  if (text.rfind("max(", 0) == 0 && text.back() == ')') {
    const auto comma = text.find(',');
    if (comma == std::string::npos) return std::nullopt;
    std::string second = text.substr(comma + 1, text.size() - comma - 2);
    while (!second.empty() && second.front() == ' ') second.erase(0, 1);
    const auto a = to_clocks(text.substr(4, comma - 4), tck_fs), b = to_clocks(second, tck_fs);
    if (!a || !b) return std::nullopt;
    return std::max(*a, *b);
  }
  double number = 0;
  std::string unit;
  if (!parse_number(text, number, unit) || number < 0 || number > 1e9) return std::nullopt;
  if (unit.empty() || unit == "nCK") {
    if (number != std::floor(number)) return std::nullopt;
    return static_cast<std::int64_t>(number);
  }
  double seconds = 0;
  std::string ignored;
  if (!parse_quantity(text, "time", seconds, ignored)) return std::nullopt;
  const double clocks = seconds * static_cast<double>(femto) / static_cast<double>(tck_fs);
  return static_cast<std::int64_t>(std::ceil(clocks - 0.03));
}

class standard_file {
 public:
  standard_file(node tree, std::string name, problem_list& problems) : m_tree(std::move(tree)), m_problems(problems) {
    m_out.name = std::move(name);
  }

  standard read() {
    check_keys(m_tree, "",
               {"name", "description", "data_rate", "organisation", "timing", "energy", "idd", "sources", "default_map",
                "refresh", "queue", "channels_per_device", "notes"});
    if (const node* n = m_tree.find("name")) m_out.name = n->text();
    if (const node* n = m_tree.find("description")) m_out.description = n->text();
    const node* rate = m_tree.find("data_rate");
    double bits_per_s = 0;
    std::string expected;
    if (rate == nullptr)
      m_problems.add({m_tree.where(), "data_rate", "is missing", "bits a second and pin, e.g. 3200 Mbps", ""});
    else if (!parse_quantity(rate->text(), "bit rate", bits_per_s, expected) || bits_per_s < 1e6 || bits_per_s > 1e12)
      m_problems.add({rate->where(), "data_rate", "got '" + rate->text() + "'", expected, ""});
    m_out.data_rate_mbps = bits_per_s / 1e6;
    read_organisation();
    m_problems.check();
    read_timing(bits_per_s);
    m_problems.check();
    read_energy();
    read_rest();
    m_problems.check();
    return std::move(m_out);
  }

 private:
  void check_keys(const node& map, const std::string& prefix, const std::vector<std::string>& known) {
    for (const auto& [key, value] : map.entries()) {
      bool found = false;
      for (const auto& k : known) found = found || k == key;
      if (!found)
        m_problems.add(
            {value.where(), prefix + key, "unknown key", "one of: " + joined(known), nearest_name(key, known)});
    }
  }

  /// The text of a spelled-out value, nullptr if absent; notes its provenance.
  const node* value_of(const std::string& group, const std::string& key) {
    const node* g = m_tree.find(group);
    const node* v = g != nullptr ? g->find(key) : nullptr;
    if (v == nullptr) return nullptr;
    const auto& parts = v->entries();
    const std::string source = parts[1].second.text();
    provenance p{source, "user", parts[0].second.text()};
    if (const node* legend = m_tree.find("sources")) {
      if (const node* entry = legend->find(source)) {
        if (const node* text = entry->find("text")) p.source = text->text();
        if (const node* c = entry->find("confidence")) p.confidence = c->text();
        const std::vector<std::string> words = {"standard", "datasheet", "paper", "simulator", "scaled", "unverified"};
        bool known = false;
        for (const auto& w : words) known = known || w == p.confidence;
        if (!known)
          m_problems.add({entry->where(), "sources." + source, "has no confidence",
                          "confidence: one of " + joined(words), nearest_name(p.confidence, words)});
      }
    }
    if (parts.size() == 3) {
      p.source += fmt::format("; carried over to {} Mb/s", m_out.data_rate_mbps);
      p.confidence = "scaled";
    }
    m_out.sources[group + "." + key] = p;
    return &parts[0].second;
  }

  template <class Integer>
  void integer(const std::string& group, const std::string& key, Integer& out, std::int64_t low, std::int64_t high) {
    const node* v = value_of(group, key);
    if (v == nullptr) return;
    double number = 0;
    std::string rest;
    if (!parse_number(v->text(), number, rest) || !rest.empty() || number != std::floor(number) ||
        number < static_cast<double>(low) || number > static_cast<double>(high))
      m_problems.add({v->where(), group + "." + key, "got '" + v->text() + "'",
                      fmt::format("an integer, {} to {}", low, high), ""});
    else
      out = static_cast<Integer>(number);
  }

  void read_organisation() {
    organisation& o = m_out.org;
    if (const node* g = m_tree.find("organisation"))
      check_keys(*g, "organisation.",
                 {"data_bits", "burst_beats", "beats_per_clock", "ranks", "pseudo_channels", "bank_groups",
                  "banks_per_group", "rows", "columns", "payload_bytes"});
    else
      m_problems.add({m_tree.where(), "organisation", "is missing", "data_bits, burst_beats, rows, columns, ...", ""});
    integer("organisation", "data_bits", o.data_bits, 1, 4096);
    integer("organisation", "burst_beats", o.burst_beats, 1, 256);
    integer("organisation", "beats_per_clock", m_beats_per_clock, 1, 64);
    integer("organisation", "ranks", o.ranks, 1, 64);
    integer("organisation", "pseudo_channels", o.pseudo_channels, 1, 4);
    integer("organisation", "bank_groups", o.bank_groups, 1, 64);
    integer("organisation", "banks_per_group", o.banks_per_group, 1, 64);
    integer("organisation", "rows", o.rows, 1, std::int64_t{1} << 30);
    integer("organisation", "columns", o.columns, 1, 1 << 16);
    integer("organisation", "payload_bytes", o.payload_bytes, 0, 4096);
    const auto complain = [&](const std::string& key, const std::string& message, const std::string& expected) {
      const node* v = m_tree.at_path("organisation." + key);
      m_problems.add({v != nullptr ? v->where() : m_tree.where(), "organisation." + key, message, expected, ""});
    };
    if (o.ranks % o.pseudo_channels != 0)
      complain("ranks", fmt::format("got {} over {} pseudo-channels", o.ranks, o.pseudo_channels),
               "a multiple of pseudo_channels");
    if (o.data_bits * o.burst_beats % 8 != 0)
      complain("burst_beats", fmt::format("a burst has {} bits", o.data_bits * o.burst_beats), "whole bytes");
    else if (o.payload_bytes > o.data_bits * o.burst_beats / 8)
      complain("payload_bytes", fmt::format("got {}", o.payload_bytes),
               fmt::format("at most {}", o.data_bits * o.burst_beats / 8));
  }

  void read_timing(double bits_per_s) {
    timing& t = m_out.t;
    const node* g = m_tree.find("timing");
    if (g == nullptr) {
      m_problems.add({m_tree.where(), "timing", "is missing", "a map of timing parameters", ""});
      return;
    }
    std::vector<std::string> known = {"tCK", "RCD", "dual_command_bus", "same_bank_refresh"};
    for (const auto& k : timing_keys()) known.emplace_back(k.name);
    check_keys(*g, "timing.", known);

    t.tck_fs = static_cast<std::int64_t>(std::llround(m_beats_per_clock * static_cast<double>(femto) / bits_per_s));
    if (const node* v = value_of("timing", "tCK")) {
      double seconds = 0;
      std::string expected;
      const std::int64_t derived = t.tck_fs;
      if (!parse_quantity(v->text(), "time", seconds, expected) || seconds <= 0 || seconds > 1e-6)
        m_problems.add({v->where(), "timing.tCK", "got '" + v->text() + "'", expected, ""});
      else
        t.tck_fs = std::llround(seconds * static_cast<double>(femto));
      if (std::fabs(static_cast<double>(t.tck_fs) / static_cast<double>(derived) - 1) > 0.01)
        m_problems.add({v->where(), "timing.tCK",
                        fmt::format("{} does not go with {} Mb/s and {} beats a clock", v->text(), m_out.data_rate_mbps,
                                    m_beats_per_clock),
                        fmt::format("{} ps, within 1 %", derived / 1000), ""});
    } else {
      m_out.sources["timing.tCK"] = {
          fmt::format("{} beats a clock at {} Mb/s", m_beats_per_clock, m_out.data_rate_mbps), "standard",
          fmt::format("{} ps", static_cast<double>(t.tck_fs) / 1000)};
    }
    t.RC = t.RPab = t.CCD_R = t.RTW = t.PPD = t.RFCpb = t.REFIpb = t.RREFD = 0;
    t.refresh_banks = 1;
    t.CS = 2;
    t.CCD_S_WR = t.CCD_L_WR = 0;

    const auto read = [&](const std::string& key, int& out, int low, int high) {
      const node* v = value_of("timing", key);
      if (v == nullptr) return false;
      const auto clocks = to_clocks(v->text(), t.tck_fs);
      if (!clocks)
        m_problems.add({v->where(), "timing." + key, "got '" + v->text() + "'",
                        "clocks (22 or 22 nCK), a time (13.75 ns) or max(8 nCK, 5 ns)", ""});
      else if (*clocks < low || *clocks > high)
        m_problems.add({v->where(), "timing." + key, fmt::format("got '{}', {} clocks", v->text(), *clocks),
                        fmt::format("{} to {} clocks", low, high), ""});
      else
        out = static_cast<int>(*clocks);
      return true;
    };
    int rcd = 0;
    if (read("RCD", rcd, 1, 500)) t.RCDRD = t.RCDWR = rcd;
    std::map<std::string, bool> given;
    for (const auto& k : timing_keys()) given[k.name] = read(k.name, t.*k.member, k.low, k.high);
    for (const char* key : {"CL", "CWL", "RP", "RAS", "CCD_S", "RRD_S", "WTR_S", "RTP", "WR", "RFC", "REFI"})
      if (!given[key]) m_problems.add({g->where(), std::string("timing.") + key, "is missing", "clocks or a time", ""});
    if (rcd == 0 && !(given["RCDRD"] && given["RCDWR"]))
      m_problems.add({g->where(), "timing.RCD", "is missing", "RCD, or RCDRD and RCDWR", ""});
    if (!given["BL"]) {
      t.BL = m_out.org.burst_beats / m_beats_per_clock;
      if (t.BL == 0 || m_out.org.burst_beats % m_beats_per_clock != 0)
        m_problems.add({g->where(), "timing.BL",
                        fmt::format("{} beats are no whole number of clocks at {} beats a clock", m_out.org.burst_beats,
                                    m_beats_per_clock),
                        "organisation.beats_per_clock that divides burst_beats, or timing.BL", ""});
    }
    if (!given["CCD_L"]) t.CCD_L = t.CCD_S;
    if (!given["RRD_L"]) t.RRD_L = t.RRD_S;
    if (!given["WTR_L"]) t.WTR_L = t.WTR_S;
    if (!given["FAW"]) t.FAW = 0;
    if (!given["CCD_S_WR"]) t.CCD_S_WR = t.CCD_S;
    if (!given["CCD_L_WR"]) t.CCD_L_WR = t.CCD_L;
    if (!given["RC"]) t.RC = t.RAS + t.RP;
    const auto flag = [&](const char* key, bool& out) {
      const node* v = value_of("timing", key);
      if (v == nullptr) return;
      if (v->text() != "true" && v->text() != "false")
        m_problems.add({v->where(), std::string("timing.") + key, "got '" + v->text() + "'", "true or false", ""});
      out = v->text() == "true";
    };
    flag("dual_command_bus", t.dual_command_bus);
    flag("same_bank_refresh", t.same_bank_refresh);
    if (m_out.org.banks_per_rank() % t.refresh_banks != 0) {
      m_problems.add({g->where(), "timing.refresh_banks",
                      fmt::format("{} of {} banks", t.refresh_banks, m_out.org.banks_per_rank()),
                      "a divisor of the banks of a rank", ""});
      return;
    }
    const int round = t.refreshes_a_round(m_out.org);
    if (t.RFCpb != 0 && t.REFIpb == 0) t.REFIpb = std::max(1, t.REFI / round);
    const auto at_least = [&](const char* a, int x, const char* b, int y) {
      if (x < y) {
        const node* v = g->find(a);
        m_problems.add({v != nullptr ? v->where() : g->where(), std::string("timing.") + a,
                        fmt::format("is {} clocks", x), fmt::format("at least {}, which is {} clocks", b, y), ""});
      }
    };
    at_least("CCD_L", t.CCD_L, "CCD_S", t.CCD_S);
    at_least("RC", t.RC, "RAS", t.RAS);
    // Between refreshes of a bank there must be time to serve it.
    const int row = t.RCDRD + t.RP;
    at_least("REFI", t.REFI, "RFC plus RCDRD plus RP", t.RFC + row);
    if (t.RFCpb != 0)
      at_least("REFIpb", t.REFIpb, fmt::format("RFCpb plus RCDRD plus RP, over {} refreshes", round).c_str(),
               (t.RFCpb + row + round - 1) / round);
  }

  void read_energy() {
    energy_table& e = m_out.energy;
    if (const node* g = m_tree.find("idd")) {
      std::vector<std::string> known;
      for (const auto& [key, unused] : idd_keys()) known.push_back(key);
      check_keys(*g, "idd.", known);
      idd_currents idd;
      for (const auto& [key, member] : idd_keys()) {
        const node* v = value_of("idd", key);
        double number = 0;
        std::string unit;
        const std::string wanted = key[0] == 'V' ? "V" : key == "devices" ? "" : "mA";
        if (v == nullptr) continue;
        if (!parse_number(v->text(), number, unit) || unit != wanted || number < 0)
          m_problems.add({v->where(), "idd." + key, "got '" + v->text() + "'",
                          "a number in " + (wanted.empty() ? "devices" : wanted), ""});
        else
          idd.*member = number;
      }
      e = energy_from_idd(idd, m_out.t, m_out.org);
    }
    if (const node* g = m_tree.find("energy")) {
      std::vector<std::string> known;
      for (const auto& k : energy_keys()) known.emplace_back(k.name);
      check_keys(*g, "energy.", known);
      for (const auto& k : energy_keys()) {
        const node* v = value_of("energy", k.name);
        if (v == nullptr) continue;
        double number = 0;
        std::string unit;
        const bool ok = parse_number(v->text(), number, unit) && number >= 0;
        const double bits =
            8.0 * static_cast<double>(k.per == energy_key::row ? m_out.org.row_bytes()
                                                               : std::int64_t{m_out.org.access_bytes()});
        if (ok && k.per == energy_key::power && unit == "mW")
          e.*k.member = number;
        else if (ok && k.per != energy_key::power && unit == "pJ")
          e.*k.member = number;
        else if (ok && k.per != energy_key::power && unit == "nJ")
          e.*k.member = number * 1000;
        else if (ok && k.per != energy_key::power && unit == "pJ/bit")
          e.*k.member = number * bits;
        else
          m_problems.add({v->where(), std::string("energy.") + k.name, "got '" + v->text() + "'",
                          k.per == energy_key::power ? "a number in mW" : "a number in pJ, nJ or pJ/bit", ""});
      }
    }
    if (e.refresh_pb_pj == 0 && m_out.t.RFCpb != 0)
      e.refresh_pb_pj = e.refresh_pj / m_out.t.refreshes_a_round(m_out.org);
  }

  void read_rest() {
    m_out.default_map = "row bank rank column bankgroup";
    if (const node* n = m_tree.find("default_map")) m_out.default_map = n->text();
    if (const node* n = m_tree.find("refresh")) m_out.refresh = n->text();
    const node* where = m_tree.find("default_map");
    try {
      address_map({m_out.default_map, 1, m_out.org.access_bytes()}, m_out.org);
    } catch (const input_error& e) {
      for (auto p : e.problems()) {
        p.where = where != nullptr ? where->where() : m_tree.where();
        p.key = "default_map";
        m_problems.add(p);
      }
    }
    if (m_out.refresh != "all_bank" && m_out.refresh != "per_bank" && m_out.refresh != "none")
      m_problems.add({m_tree.find("refresh")->where(), "refresh", "got '" + m_out.refresh + "'",
                      "all_bank, per_bank or none", nearest_name(m_out.refresh, {"all_bank", "per_bank", "none"})});
    if (m_out.refresh == "per_bank" && m_out.t.RFCpb == 0)
      m_problems.add({m_tree.find("refresh")->where(), "refresh", "is per_bank", "timing.RFCpb", ""});
    const auto count = [&](const char* key, int high, int& out) {
      const node* n = m_tree.find(key);
      if (n == nullptr) return;
      double number = 0;
      std::string rest;
      if (!parse_number(n->text(), number, rest) || !rest.empty() || number != std::floor(number) || number < 1 ||
          number > high)
        m_problems.add({n->where(), key, "got '" + n->text() + "'", fmt::format("an integer, 1 to {}", high), ""});
      else
        out = static_cast<int>(number);
    };
    count("channels_per_device", 1024, m_out.channels_per_device);
    count("queue", 4096, m_out.queue);
  }

  node m_tree;
  problem_list& m_problems;
  standard m_out;
  int m_beats_per_clock = 2;
};

}  // namespace

standard read_standard(node tree, const std::string& name, problem_list& problems) {
  return standard_file(std::move(tree), name, problems).read();
}

}  // namespace memwall::dram
