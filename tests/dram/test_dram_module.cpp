// SPDX-License-Identifier: Apache-2.0
// The TLM shell of the DRAM: errors, storage, back-pressure, and that it adds nothing to what the engine
// says.
#include <fmt/format.h>

#include <memory>

#include "hw/dram/dram.h"
#include "tests/support/protocol_checker.h"
#include "tests/support/stall_injector.h"
#include "tests/support/traffic.h"

namespace memwall {
namespace {

struct rig {
  explicit rig(dram_module& m, unsigned seed = 0) {
    checker_options o;
    o.size = m.size();
    inner = std::make_unique<protocol_checker>("inner", o);
    inner->to_target.bind(m.port);
    entry = &inner->from_initiator;
    if (seed != 0) {
      stalls = std::make_unique<stall_injector>("stalls", seed, 20'000);
      outer = std::make_unique<protocol_checker>("outer", o);
      outer->to_target.bind(stalls->from_initiator);
      stalls->to_target.bind(inner->from_initiator);
      entry = &outer->from_initiator;
    }
  }
  void run() {
    sc_core::sc_start();
    EXPECT_EQ(inner->errors(), 0) << inner->text();
    EXPECT_EQ(inner->in_flight(), 0u);
    if (outer) {
      EXPECT_EQ(outer->errors(), 0) << outer->text();
    }
  }
  std::unique_ptr<protocol_checker> inner, outer;
  std::unique_ptr<stall_injector> stalls;
  tlm::tlm_target_socket<>* entry;
};

dram_params ddr5() {
  dram_params p;
  p.standard = "DDR5-4800";
  p.channels = 2;
  return p;
}

// What the shell reports is what the engine gives for the same transfers without any SystemC.
TEST(dram_module, times_are_those_of_the_engine) {
  const auto orders = [](std::size_t i) {
    return order{i * 4096, 64u << (i % 6), i % 4 == 3, static_cast<ps_t>(i) * 150'000};
  };
  auto engine = make_dram_engine(ddr5());
  std::vector<ps_t> expected(200);
  std::vector<dram::completion> done;
  ps_t next = 0;
  std::size_t k = 0, completed = 0;
  while (completed < 200) {
    for (; k < 200 && orders(k).not_before <= next; ++k) {
      dram::transfer t;
      t.address = orders(k).address;
      t.bytes = orders(k).bytes;
      t.write = orders(k).write;
      t.id = k;
      t.arrival = orders(k).not_before;
      engine->submit(t);
    }
    ps_t bound = engine->advance(next);
    done.clear();
    engine->take_completions(done);
    for (const auto& c : done) expected[c.id] = c.done;
    completed += done.size();
    if (k < 200) bound = std::min(bound, orders(k).not_before);
    next = bound;
  }

  dram_module m("dram", ddr5());
  rig r(m);
  traffic_source s("source", 0, 200, orders, 1 << 20);
  s.port.bind(*r.entry);
  r.run();
  ASSERT_EQ(s.completed, 200u);
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(s.records[i].completed, expected[i]) << i;
    EXPECT_EQ(s.records[i].parts.sum(), s.records[i].latency()) << i;
  }
  const auto report = m.report();
  EXPECT_EQ(report.transfers, 200u);
  EXPECT_EQ(report.latency.count, 200u);
  EXPECT_GT(report.memory.reads, 0);
}

TEST(dram_module, refuses_what_it_does_not_have) {
  auto p = ddr5();
  p.size = byte_size(1 << 20);
  dram_module m("dram", p);
  rig r(m);
  const std::uint64_t addresses[] = {(1 << 20) - 64, (1 << 20) - 63, 1 << 20, UINT64_MAX - 5};
  traffic_source s(
      "source", 0, 4,
      [&](std::size_t i) {
        return order{addresses[i], 64, false, 0};
      },
      64);
  s.port.bind(*r.entry);
  r.run();
  EXPECT_EQ(s.records[0].status, tlm::TLM_OK_RESPONSE);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(s.records[i].status, tlm::TLM_ADDRESS_ERROR_RESPONSE) << i;
  EXPECT_EQ(m.report().errors, 3u);
}

struct one_shot : sc_core::sc_module {
  at_initiator_port port{"port"};
  tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
  explicit one_shot(const sc_core::sc_module_name& n) : sc_core::sc_module(n) {
    port.on_complete = [this](transfer& t) { status = t.get_response_status(); };
  }
};

TEST(dram_module, refuses_byte_enables_and_streaming) {
  dram_module m("dram", ddr5());
  rig r(m);
  one_shot o("o");
  o.port.bind(*r.entry);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  unsigned char enables[64] = {};
  transfer& a = o.port.read(0, 64);
  a.set_byte_enable_ptr(enables);
  a.set_byte_enable_length(64);
  o.port.send(a);
  EXPECT_EQ(o.status, tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  transfer& b = o.port.read(0, 64);
  b.set_streaming_width(8);
  o.port.send(b);
  EXPECT_EQ(o.status, tlm::TLM_BURST_ERROR_RESPONSE);
  r.run();
}

TEST(dram_module, keeps_bytes_when_asked_to) {
  auto p = ddr5();
  p.functional = true;
  dram_module m("dram", p);
  rig r(m);
  std::vector<unsigned char> out(10'000), in(10'000, 1);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<unsigned char>(i * 7 + 1);
  struct copier : sc_core::sc_module {
    at_initiator_port port{"port"};
    explicit copier(const sc_core::sc_module_name& n) : sc_core::sc_module(n) {}
  } c("c");
  c.port.bind(*r.entry);
  bool written = false;
  c.port.on_complete = [&](transfer& t) {
    if (t.is_write()) {
      written = true;
      c.port.send(c.port.read(4000, in.size(), in.data()));
    }
  };
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  c.port.send(c.port.write(4000, out.size(), out.data()));
  r.run();
  EXPECT_TRUE(written);
  EXPECT_EQ(in, out);
  std::vector<unsigned char> direct(16);
  m.store(4000 - 8, direct.data(), 16);
  EXPECT_EQ(direct[7], 0);
  EXPECT_EQ(direct[8], out[0]);
}

// The banks compute for source 0 from 5.5 us to 12.5 us. Reads of source 1, one a microsecond: those of 6 to 12 us wait
// for the end, in order; the others take what one read takes. A read of the owner is served meanwhile.
TEST(dram_module, others_wait_while_the_banks_compute) {
  dram_module m("dram", ddr5());
  constexpr ps_t us = 1'000'000;
  constexpr ps_t begin = 11 * us / 2, end = 25 * us / 2;
  // Both sources on one port.
  struct two_sources : sc_core::sc_module {
    at_initiator_port port{"port"};
    std::vector<ps_t> asked, done;
    std::vector<stall_stack> parts;
    explicit two_sources(const sc_core::sc_module_name& n) : sc_core::sc_module(n), asked(22), done(22), parts(22) {
      port.on_complete = [this](transfer& t) {
        const transfer_info& i = info(t);
        done[i.op] = now_ps();
        parts[i.op] = i.parts;
      };
      sc_core::sc_spawn([this] {
        for (std::size_t i = 1; i <= 20; ++i) {
          sc_core::wait(to_sc_time(us / 10));
          if (i == 9) send(21, 0);
          sc_core::wait(to_sc_time(us - us / 10));
          send(i, 1);
        }
      });
    }
    void send(std::size_t n, int source) {
      transfer& t = port.read(n * 4096, 64);
      info(t).source = source;
      info(t).op = n;
      asked[n] = now_ps();
      port.send(t);
    }
  } s("source");
  rig r(m);
  s.port.bind(*r.entry);
  ps_t granted = -1;
  sc_core::sc_spawn([&] {
    sc_core::wait(to_sc_time(begin));
    m.claim_banks(0, [&] { granted = now_ps(); });
    sc_core::wait(to_sc_time(end - begin));
    m.release_banks();
  });
  r.run();
  EXPECT_EQ(granted, begin) << "nothing was in flight";
  ps_t last = end;
  std::uint64_t waited = 0;
  for (std::size_t n = 1; n <= 20; ++n) {
    EXPECT_EQ(s.parts[n].sum(), s.done[n] - s.asked[n]) << n;
    if (s.asked[n] < begin || s.asked[n] > end) {
      EXPECT_LT(s.done[n] - s.asked[n], us / 2) << n;
      continue;
    }
    ++waited;
    EXPECT_GE(s.done[n], last) << n;
    EXPECT_LT(s.done[n], end + us / 2) << n;
    EXPECT_GE(s.parts[n][stall::dram_queue], end - s.asked[n]) << n;
    last = s.done[n];
  }
  EXPECT_LT(s.done[21] - s.asked[21], us / 2) << "the owner's own read";
  EXPECT_EQ(m.report().delayed, waited);
  EXPECT_EQ(m.report().claimed_ps, end - begin);
}

// A claim waits for what is in flight; a second claim waits for the first.
TEST(dram_module, banks_compute_once_the_transfers_before_are_done) {
  dram_module m("dram", ddr5());
  rig r(m);
  traffic_source s(
      "source", 1, 1,
      [](std::size_t) {
        return order{0, 65536, false, 0};
      },
      1 << 20);
  s.port.bind(*r.entry);
  ps_t first = -1, second = -1;
  sc_core::sc_spawn([&] {
    sc_core::wait(to_sc_time(100'000));
    m.claim_banks(0, [&] { first = now_ps(); });
    m.claim_banks(2, [&] { second = now_ps(); });
    sc_core::wait(to_sc_time(10'000'000));
    m.release_banks();
    EXPECT_EQ(second, now_ps());
    m.release_banks();
  });
  r.run();
  EXPECT_GT(s.records[0].completed, 100'000);
  EXPECT_EQ(first, s.records[0].completed);
}

class dram_stalls : public testing::TestWithParam<unsigned> {};
TEST_P(dram_stalls, change_times_and_nothing_else) {
  auto p = ddr5();
  p.controller.max_transfers = 6;
  dram_module m("dram", p);
  rig r(m, GetParam());
  traffic_source s(
      "source", 0, 400,
      [](std::size_t i) {
        return order{(i * 7919 * 64) % (1 << 28), 64 + 64 * (i % 40), i % 3 == 0, 0};
      },
      32768);
  s.port.bind(*r.entry);
  r.run();
  EXPECT_EQ(s.completed, 400u);
  for (const auto& record : s.records) {
    EXPECT_EQ(record.status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(record.parts.sum(), record.latency());
  }
  EXPECT_EQ(m.report().transfers, 400u);
}
INSTANTIATE_TEST_SUITE_P(seeds, dram_stalls, testing::Range(0u, 6u));

TEST(dram_config, reads_nested_parameters_and_names_what_is_wrong) {
  problem_list problems;
  const auto p =
      read_dram_params(config::node::parse_text(
                           "{standard: HBM3, channels: 16, size: 1 GiB, controller: {page_policy: closed}}", "m.yaml"),
                       problems, "memories.a");
  EXPECT_NO_THROW(problems.check());
  EXPECT_EQ(p.channels, 16);
  EXPECT_EQ(p.controller.page_policy, "closed");
  EXPECT_EQ(dram_size(p), std::uint64_t{1} << 30);
  EXPECT_EQ(write_dram_params(p)["controller"]["page_policy"], "closed");
  problem_list wrong;
  read_dram_params(config::node::parse_text("{chanels: 2, controller: {page_polcy: open}}", "m.yaml"), wrong,
                   "memories.a");
  try {
    wrong.check();
    FAIL();
  } catch (const input_error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("'channels'"), std::string::npos) << text;
    EXPECT_NE(text.find("'page_policy'"), std::string::npos) << text;
  }
  auto big = p;
  big.size = byte_size(1e15);
  EXPECT_THROW(dram_size(big), input_error);
  big.standard = "DDR5-48000";
  EXPECT_THROW(make_dram_engine(big), input_error);
}

}  // namespace
}  // namespace memwall
