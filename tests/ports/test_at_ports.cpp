// SPDX-License-Identifier: Apache-2.0
// The two ports against raw peers that use every freedom of the base protocol: annotated delays, all return
// values, early completion, withheld ends of requests and responses, blocking calls, foreign payloads. A
// checker is on every link.
#include <memory>

#include "hw/ports/at_initiator.h"
#include "hw/ports/at_target.h"
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

struct initiator_owner : sc_core::sc_module {
  at_initiator_port port{"port"};
  explicit initiator_owner(const sc_core::sc_module_name& n) : sc_core::sc_module(n) {}
};
struct target_owner : sc_core::sc_module {
  at_target_port port{"port"};
  explicit target_owner(const sc_core::sc_module_name& n) : sc_core::sc_module(n) {}
};

// ---- the initiator's port
// -------------------------------------------------------------------------------------------

class initiator_port : public testing::Test {
 protected:
  initiator_port() {
    owner.port.bind(checker.from_initiator);
    checker.to_target.bind(target.socket);
    owner.port.on_ready = [this] { ready.push_back(now_ps()); };
    owner.port.on_complete = [this](transfer& t) {
      done.push_back(now_ps());
      status = t.get_response_status();
      spent = info(t).parts.sum();
    };
  }
  void send(ps_t at) {
    act.at(at, [this] { owner.port.send(owner.port.read(0x40, 64)); });
  }
  void run() {
    sc_core::sc_start(to_sc_time(1'000'000));
    EXPECT_EQ(checker.errors(), 0) << checker.text();
    EXPECT_EQ(checker.in_flight(), 0u);
    EXPECT_EQ(owner.port.outstanding(), 0);
  }
  initiator_owner owner{"owner"};
  protocol_checker checker{"checker"};
  raw_target target{"target"};
  stage act{"act"};
  std::vector<ps_t> ready, done;
  tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
  ps_t spent = -1;
};

TEST_F(initiator_port, acts_on_annotated_delays_when_they_are_due) {
  send(100);
  act.at(110, [&] { target.send(*target.calls[0].t, END_REQ, 40); });  // due at 150
  act.at(200, [&] {
    target.calls[0].t->set_response_status(tlm::TLM_OK_RESPONSE);
    target.send(*target.calls[0].t, BEGIN_RESP, 25);  // due at 225
  });
  act.at(149, [&] { EXPECT_FALSE(owner.port.can_send()); });
  run();
  EXPECT_EQ(ready, std::vector<ps_t>{150});
  EXPECT_EQ(done, std::vector<ps_t>{225});
  EXPECT_EQ(spent, 125);
  ASSERT_EQ(target.calls.size(), 2u);
  EXPECT_EQ(target.calls[1].phase, END_RESP);
  EXPECT_EQ(target.calls[1].at, 225);
}

TEST_F(initiator_port, understands_completion_in_the_return_value) {
  target.answer = [](transfer& t, tlm::tlm_phase&, sc_core::sc_time& delay) {
    t.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    delay += to_sc_time(30);
    return TLM_COMPLETED;
  };
  send(100);
  run();
  EXPECT_EQ(done, std::vector<ps_t>{130});
  EXPECT_EQ(ready, std::vector<ps_t>{130});
  EXPECT_EQ(status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(target.calls.size(), 1u);  // nothing after completion
}

TEST_F(initiator_port, understands_a_response_in_the_return_value) {
  target.answer = [](transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
    if (phase != BEGIN_REQ) return TLM_ACCEPTED;
    t.set_response_status(tlm::TLM_OK_RESPONSE);
    phase = BEGIN_RESP;
    delay += to_sc_time(7);
    return TLM_UPDATED;
  };
  send(100);
  run();
  EXPECT_EQ(done, std::vector<ps_t>{107});
  ASSERT_EQ(target.calls.size(), 2u);
  EXPECT_EQ(target.calls[1].phase, END_RESP);
}

TEST_F(initiator_port, takes_a_response_for_the_end_of_the_request) {
  send(100);
  act.at(200, [&] {
    target.calls[0].t->set_response_status(tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(target.send(*target.calls[0].t, BEGIN_RESP), TLM_COMPLETED);
  });
  run();
  EXPECT_EQ(ready, std::vector<ps_t>{200});
  EXPECT_EQ(done, std::vector<ps_t>{200});
}

TEST_F(initiator_port, withholds_the_end_of_a_response) {
  owner.port.on_response = [](transfer&) { return false; };
  send(100);
  act.at(110, [&] { target.send(*target.calls[0].t, END_REQ); });
  act.at(200, [&] {
    target.calls[0].t->set_response_status(tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(target.send(*target.calls[0].t, BEGIN_RESP), TLM_ACCEPTED);
  });
  act.at(300, [&] { owner.port.end_response(); });
  run();
  EXPECT_EQ(done, std::vector<ps_t>{300});
}

TEST_F(initiator_port, may_send_again_from_its_callbacks_and_recycles_payloads) {
  int left = 1000;
  target.answer = [](transfer& t, tlm::tlm_phase&, sc_core::sc_time& delay) {
    t.set_response_status(tlm::TLM_OK_RESPONSE);
    delay += to_sc_time(10);
    return TLM_COMPLETED;
  };
  std::vector<const transfer*> seen;
  owner.port.on_complete = [&](transfer& t) {
    if (std::find(seen.begin(), seen.end(), &t) == seen.end()) seen.push_back(&t);
    if (--left > 0) owner.port.send(owner.port.read(0, 64));
  };
  send(100);
  run();
  EXPECT_EQ(left, 0);
  EXPECT_LE(seen.size(), 2u);
}

// ---- the target's port
// ----------------------------------------------------------------------------------------------

class target_port : public testing::Test {
 protected:
  target_port() {
    initiator.socket.bind(checker.from_initiator);
    checker.to_target.bind(owner.port);
    owner.port.on_request = [this](transfer& t) {
      requests.push_back({now_ps(), BEGIN_REQ, &t});
      return accept;
    };
    owner.port.on_done = [this](transfer&) { done.push_back(now_ps()); };
  }
  void respond(ps_t at, std::size_t which) {
    act.at(at, [this, which] {
      requests[which].t->set_response_status(tlm::TLM_OK_RESPONSE);
      owner.port.respond(*requests[which].t);
    });
  }
  void run() {
    sc_core::sc_start(to_sc_time(1'000'000));
    EXPECT_EQ(checker.errors(), 0) << checker.text();
    EXPECT_EQ(checker.in_flight(), 0u);
  }
  raw_initiator initiator{"initiator"};
  protocol_checker checker{"checker"};
  target_owner owner{"owner"};
  stage act{"act"};
  bool accept = true;
  std::vector<call> requests;
  std::vector<ps_t> done;
};

TEST_F(target_port, ends_requests_at_once_in_the_return_value) {
  transfer& t = initiator.make();
  act.at(100, [&] {
    EXPECT_EQ(initiator.send(t, BEGIN_REQ), TLM_UPDATED);
    EXPECT_EQ(initiator.last_phase, END_REQ);
  });
  respond(200, 0);
  act.at(250, [&] { initiator.send(t, END_RESP); });
  run();
  EXPECT_EQ(done, std::vector<ps_t>{250});
  ASSERT_EQ(initiator.calls.size(), 1u);
  EXPECT_EQ(initiator.calls[0].phase, BEGIN_RESP);
}

TEST_F(target_port, acts_on_annotated_delays_when_they_are_due) {
  transfer& t = initiator.make();
  act.at(100, [&] { EXPECT_EQ(initiator.send(t, BEGIN_REQ, 50), TLM_ACCEPTED); });
  respond(200, 0);
  act.at(250, [&] { initiator.send(t, END_RESP, 30); });
  run();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].at, 150);
  ASSERT_EQ(initiator.calls.size(), 2u);
  EXPECT_EQ(initiator.calls[0].phase, END_REQ);
  EXPECT_EQ(initiator.calls[0].at, 150);
  EXPECT_EQ(done, std::vector<ps_t>{280});
}

TEST_F(target_port, withholds_the_end_of_a_request) {
  accept = false;
  transfer& t = initiator.make();
  act.at(100, [&] { EXPECT_EQ(initiator.send(t, BEGIN_REQ), TLM_ACCEPTED); });
  act.at(150, [&] {
    EXPECT_TRUE(owner.port.withholding());
    owner.port.accept();
  });
  respond(200, 0);
  act.at(210, [&] { initiator.send(t, END_RESP); });
  run();
  EXPECT_EQ(initiator.calls[0].phase, END_REQ);
  EXPECT_EQ(initiator.calls[0].at, 150);
}

TEST_F(target_port, a_response_ends_a_withheld_request) {
  accept = false;
  transfer& t = initiator.make();
  act.at(100, [&] { initiator.send(t, BEGIN_REQ); });
  respond(200, 0);
  act.at(210, [&] {
    EXPECT_FALSE(owner.port.withholding());
    initiator.send(t, END_RESP);
  });
  run();
  ASSERT_EQ(initiator.calls.size(), 1u);
  EXPECT_EQ(initiator.calls[0].phase, BEGIN_RESP);
}

TEST_F(target_port, queues_responses_while_one_is_withheld) {
  transfer& a = initiator.make();
  transfer& b = initiator.make();
  transfer& c = initiator.make();
  act.at(100, [&] { initiator.send(a, BEGIN_REQ); });
  act.at(110, [&] { initiator.send(b, BEGIN_REQ); });
  act.at(120, [&] { initiator.send(c, BEGIN_REQ); });
  respond(200, 1);
  respond(201, 0);
  respond(202, 2);
  initiator.answer = [&](transfer& t, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
    if (&t == &b) return TLM_ACCEPTED;
    if (&t == &a) {
      phase = END_RESP;
      delay += to_sc_time(60);
      return TLM_UPDATED;
    }
    return TLM_COMPLETED;
  };
  act.at(300, [&] { initiator.send(b, END_RESP); });
  run();
  ASSERT_EQ(initiator.calls.size(), 3u);
  EXPECT_EQ(initiator.calls[0].t, &b);
  EXPECT_EQ(initiator.calls[1].t, &a);
  EXPECT_EQ(initiator.calls[1].at, 300);
  EXPECT_EQ(initiator.calls[2].t, &c);
  EXPECT_EQ(initiator.calls[2].at, 360);  // a's response ends 60 later
  EXPECT_EQ(done, (std::vector<ps_t>{300, 360, 360}));
}

TEST_F(target_port, completes_early_when_answered_inside_the_request) {
  owner.port.on_request = [&](transfer& t) {
    t.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    owner.port.respond(t);
    return true;
  };
  transfer& t = initiator.make();
  act.at(100, [&] { EXPECT_EQ(initiator.send(t, BEGIN_REQ), TLM_COMPLETED); });
  run();
  EXPECT_EQ(t.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(t.get_ref_count(), 1);
  EXPECT_EQ(done, std::vector<ps_t>{100});
}

struct foreign_manager : tlm::tlm_mm_interface {
  void free(transfer* t) override {
    freed = true;
    t->reset();
  }
  bool freed = false;
};

TEST_F(target_port, gives_foreign_payloads_an_extension_and_takes_it_back) {
  foreign_manager manager;
  transfer t(&manager);
  unsigned char data[64];
  t.set_command(tlm::TLM_WRITE_COMMAND);
  t.set_data_ptr(data);
  t.set_data_length(64);
  t.set_streaming_width(64);
  t.acquire();
  act.at(100, [&] { initiator.send(t, BEGIN_REQ); });
  act.at(110, [&] { EXPECT_NE(t.get_extension<transfer_info>(), nullptr); });
  respond(200, 0);
  act.at(210, [&] { initiator.send(t, END_RESP); });
  run();
  EXPECT_EQ(t.get_extension<transfer_info>(), nullptr);
  EXPECT_FALSE(manager.freed);
  t.release();
  EXPECT_TRUE(manager.freed);
}

TEST_F(target_port, serves_threads_that_block) {
  transfer& t = initiator.make(0x80);
  ps_t returned = 0;
  accept = false;
  act.at(
      100,
      [&] {
        sc_core::sc_time delay = to_sc_time(20);
        initiator.socket->b_transport(t, delay);
        returned = now_ps() + to_ps(delay);
      },
      true);
  act.at(150, [&] { owner.port.accept(); });
  respond(200, 0);
  run();
  EXPECT_EQ(requests[0].at, 120);
  EXPECT_EQ(returned, 200);
  EXPECT_EQ(t.get_response_status(), tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(done, std::vector<ps_t>{200});
}

// Whose it is and what it carries goes along with a call that blocks, and where its time went comes back with it.
TEST_F(target_port, a_blocking_call_keeps_what_is_known_of_it) {
  transfer& t = initiator.make(0x80, 32);
  transfer_info& own = info(t);
  own.source = 3;
  own.op = 17;
  own.carries = traffic::kv_cache;
  act.at(
      100,
      [&] {
        sc_core::sc_time delay;
        initiator.socket->b_transport(t, delay);
      },
      true);
  act.at(110, [&] {
    ASSERT_EQ(requests.size(), 1u);
    transfer& seen = *requests[0].t;
    EXPECT_EQ(seen.get_address(), 0x80u);
    EXPECT_EQ(seen.get_data_length(), 32u);
    EXPECT_EQ(info(seen).source, 3);
    EXPECT_EQ(info(seen).op, 17u);
    EXPECT_EQ(info(seen).carries, traffic::kv_cache);
    EXPECT_EQ(info(seen).issued, 100);
    info(seen).book(stall::dram_data, 200);
  });
  respond(200, 0);
  run();
  EXPECT_EQ(own.parts[stall::dram_data], 100);
}

// While the end of one's request is withheld the next one waits before the door: from 150 on it is inside.
TEST_F(target_port, blocking_calls_come_in_one_after_another) {
  accept = false;
  transfer &first = initiator.make(0), &second = initiator.make(64);
  std::vector<ps_t> returned(2);
  for (const int k : {0, 1})
    act.at(
        100 + k,
        [&, k] {
          sc_core::sc_time delay;
          initiator.socket->b_transport(k == 0 ? first : second, delay);
          returned[static_cast<std::size_t>(k)] = now_ps();
        },
        true);
  act.at(140, [&] { EXPECT_EQ(requests.size(), 1u); });
  act.at(150, [&] { owner.port.accept(); });
  act.at(160, [&] {
    EXPECT_EQ(requests.size(), 2u);
    owner.port.accept();
  });
  respond(200, 0);
  respond(300, 1);
  run();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].at, 100);
  EXPECT_EQ(requests[1].at, 150);
  EXPECT_EQ(returned, (std::vector<ps_t>{200, 300}));
}

TEST_F(target_port, refuses_direct_memory) {
  transfer& t = initiator.make();
  act.at(10, [&] {
    tlm::tlm_dmi dmi;
    t.set_dmi_allowed(true);
    EXPECT_FALSE(initiator.socket->get_direct_mem_ptr(t, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0u);
    EXPECT_EQ(dmi.get_end_address(), UINT64_MAX);
    EXPECT_FALSE(t.is_dmi_allowed());
  });
  run();
}

// ---- payloads
// -------------------------------------------------------------------------------------------------------

TEST(payload_pool_test, sets_every_attribute_each_time_and_keeps_old_scratch_memory) {
  payload_pool pool;
  transfer& a = pool.make(tlm::TLM_READ_COMMAND, 1, 64);
  unsigned char* small = a.get_data_ptr();
  a.acquire();
  transfer& b = pool.make(tlm::TLM_WRITE_COMMAND, 2, 1 << 20);
  b.acquire();
  EXPECT_EQ(a.get_data_ptr(), small);
  small[63] = 1;  // still ours (AddressSanitizer)
  b.get_data_ptr()[(1 << 20) - 1] = 1;
  info(b).source = 7;
  info(b).attach_hop(&pool, &pool);
  b.set_streaming_width(3);
  b.set_dmi_allowed(true);
  b.set_response_status(tlm::TLM_OK_RESPONSE);
  b.release();
  transfer& c = pool.make(tlm::TLM_READ_COMMAND, 9, 128);
  EXPECT_EQ(&c, &b);
  EXPECT_EQ(c.get_address(), 9u);
  EXPECT_EQ(c.get_streaming_width(), 128u);
  EXPECT_FALSE(c.is_dmi_allowed());
  EXPECT_EQ(c.get_response_status(), tlm::TLM_INCOMPLETE_RESPONSE);
  EXPECT_EQ(info(c).source, 0);
  EXPECT_EQ(info(c).hop(&pool), nullptr);
  EXPECT_EQ(info(c).first_data, never);
  EXPECT_EQ(pool.allocated(), 2u);
  a.release();
}

TEST(payload_pool_test, an_extension_can_be_cloned) {
  transfer_info i;
  i.source = 3;
  i.op = 9;
  i.attach_hop(&i, &i);
  i.book(stall::compute, 12);
  auto* copy = static_cast<transfer_info*>(i.clone());
  EXPECT_EQ(copy->source, 3);
  EXPECT_EQ(copy->op, 9u);
  EXPECT_EQ(copy->parts[stall::compute], 12);
  EXPECT_EQ(copy->hop(&i), nullptr);
  copy->free();
}

}  // namespace
}  // namespace memwall
