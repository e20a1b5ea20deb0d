// SPDX-License-Identifier: Apache-2.0
// Random memories and random traffic, from a seed.
#pragma once
#include <random>
#include <string>
#include <vector>

#include "tests/dram/traffic.h"

namespace memwall::dram::traffic {

struct setup {
  standard spec;
  std::string map;
  int channels = 1;
  controller_params params;
  std::vector<transfer> transfers;
  std::string text() const {
    return spec.name + " x" + std::to_string(channels) + " map '" + map + "' " +
           controller_table().write(params).dump();
  }
};

/// A standard with random but consistent timing: any mix of features that the shipped ones have.
inline standard random_standard(std::mt19937& g) {
  const auto in = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(g); };
  standard s;
  s.name = "random";
  timing& t = s.t;
  t.tck_fs = in(300, 1500) * 1000 + in(0, 1) * in(0, 999);
  t.BL = in(1, 8), t.CWL = in(1, 20), t.CL = in(t.CWL, 40), t.RCDRD = in(4, 40), t.RCDWR = in(2, 40), t.RP = in(4, 40);
  t.RAS = t.RCDRD + in(2, 60), t.RC = t.RAS + t.RP + in(0, 4);
  t.RPab = in(0, 1) * (t.RP + in(0, 5));
  t.CCD_S = in(1, 8), t.CCD_L = t.CCD_S + in(0, 6), t.CCD_S_WR = t.CCD_S + in(0, 3),
  t.CCD_L_WR = t.CCD_S_WR + in(0, 30);
  t.RRD_S = in(2, 10), t.RRD_L = t.RRD_S + in(0, 6), t.FAW = t.RRD_S * 4 + in(0, 20);
  t.WTR_S = in(0, 10), t.WTR_L = t.WTR_S + in(0, 12), t.RTP = in(2, 20), t.WR = in(4, 60);
  t.RTW = in(0, 1) * (t.CL + t.BL + 2 - t.CWL + in(0, 6)), t.CS = in(1, 4), t.PPD = in(0, 1) * in(1, 4);
  t.RFC = in(60, 600), t.REFI = t.RFC * 3 + in(500, 8000);
  if (in(0, 1) != 0) t.RFCpb = in(30, 200), t.RREFD = in(2, 30);
  t.ACT_CK = in(1, 2), t.CAS_CK = in(1, 2), t.dual_command_bus = in(0, 1) != 0;
  t.same_bank_refresh = in(0, 1) != 0;
  if (s.t.tck_fs % 2 == 0) t.refresh_banks = 2;  // where there are two banks, see below
  organisation& o = s.org;
  o.data_bits = 16 << in(0, 2), o.burst_beats = 4 << in(0, 2);
  o.bank_groups = 1 << in(0, 3), o.banks_per_group = 1 << in(0, 2), o.columns = 8 << in(0, 4), o.rows = 64 << in(0, 4);
  if (o.banks_per_rank() < 2) t.refresh_banks = 1;
  o.ranks = 1 << in(0, 2);
  if (o.ranks > 1 && in(0, 2) == 0) o.pseudo_channels = 2;
  if (o.ranks / o.pseudo_channels > 1 && in(0, 1) != 0) t.CCD_R = t.CCD_S + in(0, 2);
  if (t.RFCpb > 0) t.REFIpb = (t.RFCpb + t.RREFD + t.RC) * 2 + in(0, 300);
  s.refresh = "all_bank";
  return s;
}

inline controller_params random_controller(std::mt19937& g, const standard& s) {
  const auto in = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(g); };
  controller_params p;
  p.scheduler = std::vector<std::string>{"fcfs", "frfcfs", "frfcfs", "frfcfs_cap"}[static_cast<std::size_t>(in(0, 3))];
  p.cap = in(1, 8);
  p.read_queue = in(1, 48), p.write_queue = in(1, 48);
  p.write_mode = in(0, 1) != 0 ? "drain" : "unified";
  p.age_limit = in(0, 2) == 0 ? 0 : in(300, 6000);
  p.page_policy = std::vector<std::string>{"open", "open", "closed", "timeout"}[static_cast<std::size_t>(in(0, 3))];
  const int timeout_ns = in(20, 500);
  p.page_timeout = duration(timeout_ns * 1e-9);
  if (p.page_policy == "timeout" && timeout_ns % 2 == 0) p.page_policy = "adaptive";
  p.refresh = std::vector<std::string>{"all_bank", s.t.RFCpb > 0 ? "per_bank" : "all_bank",
                                       "none"}[static_cast<std::size_t>(in(0, 2))];
  p.refresh_postpone = in(0, 2) == 0 ? in(1, 8) : 0;
  p.refresh_stagger = in(0, 1) != 0;
  p.front_end = duration(in(0, 2) * 3e-9), p.back_end = duration(in(0, 2) * 4e-9);
  p.max_transfers = in(1, 64);
  return p;
}

/// Options of the queue and of the command choice.
inline void random_options(std::mt19937& g, controller_params& p) {
  const auto in = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(g); };
  p.queues = std::vector<std::string>{"direction", "joint", "bank"}[static_cast<std::size_t>(in(0, 2))];
  if (p.queues == "bank") p.read_queue = in(1, 12);
  p.command_order = in(0, 1) != 0 ? "start" : "end";
  p.refresh_precharge = in(0, 1) != 0 ? "after_use" : "at_once";
}

inline std::string random_map(std::mt19937& g) {
  std::vector<std::string> f{"rank", "bank", "column", "bankgroup"};
  std::shuffle(f.begin(), f.end(), g);
  return "row " + f[0] + ' ' + f[1] + ' ' + f[2] + ' ' + f[3];
}

inline setup random_setup(std::uint32_t seed) {
  std::mt19937 g(seed);
  const auto in = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(g); };
  setup out;
  out.spec = random_standard(g);
  out.params = random_controller(g, out.spec);
  random_options(g, out.params);
  out.map = random_map(g);
  out.channels = in(0, 1) != 0 ? 1 : in(2, 5);
  const int n = in(20, 400), sources = in(1, 4);
  const auto access = static_cast<std::uint64_t>(out.spec.org.access_bytes());
  std::vector<std::uint64_t> place(static_cast<std::size_t>(sources));
  const auto space =
      static_cast<std::uint64_t>(out.spec.org.capacity_bytes()) * static_cast<std::uint64_t>(out.channels);
  for (auto& p : place) p = std::uniform_int_distribution<std::uint64_t>(0, space - 1)(g);
  const int style = in(0, 3);
  ps_t arrival = 0;
  for (int i = 0; i < n; ++i) {
    transfer t;
    t.id = static_cast<std::uint64_t>(i);
    t.source = static_cast<std::uint32_t>(in(0, sources - 1));
    t.write = in(0, 3) == 0;
    t.bytes = style == 0   ? access
              : style == 1 ? access * static_cast<std::uint64_t>(in(1, 64))
                           : static_cast<std::uint64_t>(in(1, 3000));
    auto& p = place[t.source];
    if (in(0, style == 2 ? 1 : 9) == 0) p = std::uniform_int_distribution<std::uint64_t>(0, space - 1)(g);
    t.address = p;
    p = (p + t.bytes) % space;
    if (in(0, 3) == 0) arrival += in(0, 1) != 0 ? in(0, 3000) : in(0, 60'000);
    t.arrival = arrival;
    if (in(0, 7) == 0) t.pace = in(1, 20) * 700;
    t.bytes = std::min<std::uint64_t>(t.bytes, 1u << 20);
    out.transfers.push_back(t);
  }
  return out;
}

}  // namespace memwall::dram::traffic
