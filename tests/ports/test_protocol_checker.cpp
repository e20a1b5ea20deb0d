// SPDX-License-Identifier: Apache-2.0
// The checker itself: silent with good peers, and for every rule a peer that breaks it.
#include <memory>

#include "tests/support/protocol_checker.h"
#include "tests/support/raw_peers.h"

namespace memwall {
namespace {

using tlm::BEGIN_REQ;
using tlm::BEGIN_RESP;
using tlm::END_REQ;
using tlm::END_RESP;
using tlm::TLM_ACCEPTED;
using tlm::TLM_COMPLETED;
using tlm::TLM_UPDATED;

class checker_test : public testing::Test {
 protected:
  explicit checker_test(const checker_options& o = {}) : checker("checker", o) {
    initiator.socket.bind(checker.from_initiator);
    checker.to_target.bind(target.socket);
  }
  void run() { sc_core::sc_start(to_sc_time(1'000'000)); }
  // Exactly this rule was found broken.
  void expect_only(rule r) {
    EXPECT_GT(checker.errors(r), 0) << "not noticed: " << rule_name(r);
    EXPECT_EQ(checker.errors(), checker.errors(r)) << checker.text();
  }
  void ok(transfer& t) { t.set_response_status(tlm::TLM_OK_RESPONSE); }

  raw_initiator initiator{"initiator"};
  protocol_checker checker;
  raw_target target{"target"};
  stage act{"act"};
};

TEST_F(checker_test, four_phases_are_right) {
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { target.send(t, END_REQ); });
  act.at(30, [&] { ok(t), target.send(t, BEGIN_RESP); });
  act.at(40, [&] { initiator.send(t, END_RESP); });
  run();
  EXPECT_EQ(checker.errors(), 0) << checker.text();
  EXPECT_EQ(checker.in_flight(), 0u);
}

TEST_F(checker_test, early_completion_and_return_paths_are_right) {
  transfer& a = initiator.make();
  transfer& b = initiator.make();
  transfer& c = initiator.make();
  target.answer = [&](transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
    if (phase != BEGIN_REQ) return TLM_ACCEPTED;
    if (&t == &a) {
      ok(t);
      delay += to_sc_time(5);
      return TLM_COMPLETED;
    }
    if (&t == &b) {
      phase = END_REQ;
      return TLM_UPDATED;
    }
    ok(t);
    phase = BEGIN_RESP;
    return TLM_UPDATED;
  };
  initiator.answer = [&](transfer&, tlm::tlm_phase&, sc_core::sc_time&) { return TLM_COMPLETED; };
  act.at(10, [&] { initiator.send(a, BEGIN_REQ); });
  act.at(20, [&] { initiator.send(b, BEGIN_REQ); });
  act.at(30, [&] { initiator.send(c, BEGIN_REQ); });
  act.at(35, [&] { initiator.send(c, END_RESP); });
  act.at(40, [&] { ok(b), target.send(b, BEGIN_RESP); });
  run();
  EXPECT_EQ(checker.errors(), 0) << checker.text();
  EXPECT_EQ(checker.in_flight(), 0u);
}

TEST_F(checker_test, initiator_sends_a_phase_of_the_target) {
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { initiator.send(t, END_REQ); });
  run();
  expect_only(rule::phase_order);
}

TEST_F(checker_test, target_sends_a_phase_of_the_initiator) {
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { target.send(t, END_RESP); });
  run();
  expect_only(rule::phase_order);
}

TEST_F(checker_test, end_of_response_before_its_beginning) {
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { initiator.send(t, END_RESP); });
  run();
  expect_only(rule::phase_order);
}

TEST_F(checker_test, second_request_while_one_is_open) {
  transfer& a = initiator.make();
  transfer& b = initiator.make();
  act.at(10, [&] { initiator.send(a, BEGIN_REQ); });
  act.at(20, [&] { initiator.send(b, BEGIN_REQ); });
  run();
  expect_only(rule::request_exclusion);
}

TEST_F(checker_test, second_response_while_one_is_open) {
  transfer& a = initiator.make();
  transfer& b = initiator.make();
  act.at(10, [&] { initiator.send(a, BEGIN_REQ); });
  act.at(20, [&] { target.send(a, END_REQ); });
  act.at(30, [&] { initiator.send(b, BEGIN_REQ); });
  act.at(40, [&] { target.send(b, END_REQ); });
  act.at(50, [&] { ok(a), target.send(a, BEGIN_RESP); });
  act.at(60, [&] { ok(b), target.send(b, BEGIN_RESP); });
  run();
  expect_only(rule::response_exclusion);
}

TEST_F(checker_test, accepted_with_a_changed_phase) {
  target.answer = [](transfer&, tlm::tlm_phase& phase, sc_core::sc_time&) {
    phase = END_REQ;
    return TLM_ACCEPTED;
  };
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  run();
  expect_only(rule::return_value);
}

TEST_F(checker_test, end_of_response_answered_with_a_new_state) {
  target.answer = [](transfer&, tlm::tlm_phase& phase, sc_core::sc_time&) {
    return phase == END_RESP ? TLM_UPDATED : TLM_ACCEPTED;
  };
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { ok(t), target.send(t, BEGIN_RESP); });
  act.at(30, [&] { initiator.send(t, END_RESP); });
  run();
  expect_only(rule::return_value);
}

TEST_F(checker_test, end_of_response_after_completion) {
  target.answer = [&](transfer& t, tlm::tlm_phase& phase, sc_core::sc_time&) {
    ok(t);
    return phase == BEGIN_REQ ? TLM_COMPLETED : TLM_ACCEPTED;
  };
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { initiator.send(t, END_RESP); });
  run();
  expect_only(rule::return_value);
}

TEST_F(checker_test, time_that_goes_back) {
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ, 100); });  // at 110
  act.at(20, [&] { target.send(t, END_REQ, 5); });         // at 25
  run();
  expect_only(rule::time_order);
}

TEST_F(checker_test, response_for_a_transaction_that_never_came) {
  transfer& t = initiator.make();
  act.at(10, [&] { ok(t), target.send(t, BEGIN_RESP); });
  run();
  expect_only(rule::path);
}

TEST_F(checker_test, response_after_completion) {
  target.answer = [&](transfer& t, tlm::tlm_phase&, sc_core::sc_time&) {
    ok(t);
    return TLM_COMPLETED;
  };
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { target.send(t, BEGIN_RESP); });
  run();
  expect_only(rule::path);
}

TEST_F(checker_test, target_that_waits_in_a_non_blocking_call) {
  target.answer = [](transfer&, tlm::tlm_phase&, sc_core::sc_time&) {
    sc_core::wait(to_sc_time(5));
    return TLM_ACCEPTED;
  };
  transfer& t = initiator.make();
  act.at(
      10, [&] { initiator.send(t, BEGIN_REQ); }, true);
  run();
  expect_only(rule::blocking);
}

TEST_F(checker_test, blocking_call_outside_a_thread) {
  transfer& t = initiator.make();
  act.at(10, [&] {
    sc_core::sc_time none;
    initiator.socket->b_transport(t, none);
  });
  run();
  expect_only(rule::blocking);
}

TEST_F(checker_test, blocking_call_with_a_transaction_on_the_non_blocking_path) {
  transfer& t = initiator.make();
  act.at(
      10, [&] { initiator.send(t, BEGIN_REQ); }, true);
  act.at(
      20,
      [&] {
        sc_core::sc_time none;
        initiator.socket->b_transport(t, none);
      },
      true);
  run();
  expect_only(rule::blocking);
}

class broken_attribute : public checker_test, public testing::WithParamInterface<int> {};
TEST_P(broken_attribute, is_noticed) {
  transfer& t = initiator.make();
  unsigned char enables = 0xff;
  switch (GetParam()) {
    case 0:
      t.set_data_ptr(nullptr);
      break;
    case 1:
      t.set_data_length(0);
      break;
    case 2:
      t.set_streaming_width(0);
      break;
    case 3:
      t.set_dmi_allowed(true);
      break;
    case 4:
      t.set_response_status(tlm::TLM_OK_RESPONSE);
      break;
    default:
      t.set_byte_enable_ptr(&enables);
  }
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  run();
  expect_only(rule::attributes);
}
INSTANTIATE_TEST_SUITE_P(all, broken_attribute, testing::Range(0, 6));

TEST_F(checker_test, length_changed_on_the_way) {
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] {
    ok(t);
    t.set_data_length(32);
    target.send(t, BEGIN_RESP);
  });
  run();
  expect_only(rule::changed);
}

TEST_F(checker_test, response_without_a_status) {
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { target.send(t, BEGIN_RESP); });
  run();
  expect_only(rule::response_status);
}

class small_target : public checker_test, public testing::WithParamInterface<int> {
 protected:
  small_target() : checker_test(options()) {}
  static checker_options options() {
    checker_options o;
    o.size = 4096;
    return o;
  }
};
TEST_P(small_target, accepts_what_it_does_not_have) {
  transfer& t = initiator.make();
  unsigned char enables[64] = {};
  switch (GetParam()) {
    case 0:
      t.set_address(4096 - 63);
      break;
    case 1:
      t.set_address(UINT64_MAX - 10);
      break;  // address + length wraps around
    case 2:
      t.set_streaming_width(16);
      break;
    default:
      t.set_byte_enable_ptr(enables);
      t.set_byte_enable_length(64);
  }
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { ok(t), target.send(t, BEGIN_RESP); });
  run();
  expect_only(rule::refusal);
}
INSTANTIATE_TEST_SUITE_P(all, small_target, testing::Range(0, 4));

TEST_F(checker_test, the_address_on_the_way_back_is_nobodys_business) {
  transfer& t = initiator.make(0x1000);
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] { ok(t), target.send(t, BEGIN_RESP); });
  run();
  EXPECT_EQ(checker.errors(), 0) << checker.text();
  EXPECT_NE(t.get_address(), 0x1000u);
}

TEST_F(checker_test, payload_without_a_memory_manager) {
  transfer t;
  unsigned char data[64];
  t.set_command(tlm::TLM_READ_COMMAND);
  t.set_data_ptr(data);
  t.set_data_length(64);
  t.set_streaming_width(64);
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  run();
  expect_only(rule::memory_manager);
}

TEST_F(checker_test, payload_that_nobody_holds) {
  transfer& t = initiator.pool.make(tlm::TLM_READ_COMMAND, 0, 64);
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  run();
  expect_only(rule::memory_manager);
}

TEST_F(checker_test, extension_lost_on_the_way) {
  transfer& t = initiator.make();
  transfer_info* extension = &info(t);
  act.at(10, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(20, [&] {
    ok(t);
    t.clear_extension(extension);
    target.send(t, BEGIN_RESP);
  });
  run();
  expect_only(rule::extension);
  t.set_extension(extension);
}

TEST_F(checker_test, debug_transport_that_moves_too_much) {
  target.debug = [](transfer&) { return 65u; };
  transfer& t = initiator.make();
  act.at(10, [&] { initiator.socket->transport_dbg(t); });
  run();
  expect_only(rule::debug);
}

TEST_F(checker_test, direct_memory) {
  target.grants_dmi = true;
  transfer& t = initiator.make();
  act.at(10, [&] {
    tlm::tlm_dmi dmi;
    initiator.socket->get_direct_mem_ptr(t, dmi);
  });
  run();
  expect_only(rule::dmi);
}

}  // namespace
}  // namespace memwall
