// SPDX-License-Identifier: Apache-2.0
// memwall's DRAM behind a foreign initiator: plain TLM-2.0, no port and no extension of memwall's. Blocking and
// non-blocking transport, DMI (refused: it would bypass the timing), debug transport, with a base-protocol checker in
// between.
#include <cstdio>
#include <cstring>
#include <deque>
#include <string>
#include <systemc>
#include <tlm>

#include "hw/dram/dram.h"
#include "hw/dram/standard.h"
#include "tests/support/protocol_checker.h"

namespace {

int failures = 0;
void expect(bool right, const std::string& what) {
  if (!right) ++failures;
  std::printf("%s: %s\n", right ? "ok" : "WRONG", what.c_str());
}

// The least that an initiator needs: payloads that are freed when nobody holds them, and the four phases.
class foreign_initiator : public sc_core::sc_module, tlm::tlm_bw_transport_if<>, tlm::tlm_mm_interface {
 public:
  tlm::tlm_initiator_socket<> socket{"socket"};

  explicit foreign_initiator(const sc_core::sc_module_name& name) : sc_module(name) {
    socket.bind(*static_cast<tlm::tlm_bw_transport_if<>*>(this));
    sc_core::sc_spawn([this] { run(); }, "run");
  }
  bool finished = false;

 private:
  static constexpr unsigned line = 64;

  void free(tlm::tlm_generic_payload* t) override {
    t->reset();
    delete t;
  }

  static void set_up(tlm::tlm_generic_payload& t, tlm::tlm_command command, std::uint64_t address,
                     unsigned char* data) {
    t.set_command(command);
    t.set_address(address);
    t.set_data_ptr(data);
    t.set_data_length(line);
    t.set_streaming_width(line);
    t.set_byte_enable_ptr(nullptr);
    t.set_dmi_allowed(false);
    t.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  }

  void run() {
    using sc_core::sc_time;
    // Loosely timed. The first read of a closed bank: a clock into the controller, ACT, tRCD, RD, CL, one burst.
    const auto timing = memwall::dram::load_standard("DDR4-3200").t;
    const sc_time unloaded =
        sc_time(static_cast<double>((1 + timing.RCDRD + timing.CL + timing.BL) * timing.tck_fs), sc_core::SC_FS);
    unsigned char data[line], back[line];
    tlm::tlm_generic_payload t;
    sc_time delay = sc_core::SC_ZERO_TIME;
    set_up(t, tlm::TLM_READ_COMMAND, 0, back);
    const sc_time begin = sc_core::sc_time_stamp();
    socket->b_transport(t, delay);
    wait(delay);
    expect(t.is_response_ok(), "a blocking read is answered");
    expect(sc_core::sc_time_stamp() - begin == unloaded, "it takes 1 + tRCD + CL + BL = " + unloaded.to_string() +
                                                             ", was " + (sc_core::sc_time_stamp() - begin).to_string());
    for (unsigned i = 0; i < line; ++i) data[i] = static_cast<unsigned char>(3 * i + 1);
    set_up(t, tlm::TLM_WRITE_COMMAND, 4096, data);
    delay = sc_core::SC_ZERO_TIME;
    socket->b_transport(t, delay);
    wait(delay);
    expect(t.is_response_ok(), "a blocking write is answered");

    // Direct memory access is refused, and says so for the whole range.
    tlm::tlm_dmi dmi;
    set_up(t, tlm::TLM_READ_COMMAND, 4096, back);
    expect(!socket->get_direct_mem_ptr(t, dmi), "direct memory access is refused");
    expect(!t.is_dmi_allowed(), "and not hinted at");
    expect(dmi.get_start_address() == 0 && dmi.get_end_address() == ~sc_dt::uint64{0}, "for every address");

    // Debug transport: the bytes, without time.
    const sc_time before = sc_core::sc_time_stamp();
    expect(socket->transport_dbg(t) == line, "debug transport moves every byte");
    expect(std::memcmp(back, data, line) == 0, "debug transport reads what was written");
    expect(sc_core::sc_time_stamp() == before, "debug transport takes no time");

    // Approximately timed: eight reads in a row, in flight together; the bytes come back.
    for (unsigned i = 0; i < 8; ++i) {
      auto* p = new tlm::tlm_generic_payload(this);
      p->acquire();
      set_up(*p, tlm::TLM_READ_COMMAND, 4096 + std::uint64_t{i} * line, m_back[i]);
      while (m_requesting) wait(m_request_over);
      tlm::tlm_phase phase = tlm::BEGIN_REQ;
      delay = sc_core::SC_ZERO_TIME;
      m_requesting = true;
      if (socket->nb_transport_fw(*p, phase, delay) == tlm::TLM_UPDATED) went_on(*p, phase);
    }
    while (m_done < 8) wait(m_response);
    expect(m_good == 8, "eight non-blocking reads are answered");
    expect(std::memcmp(m_back[0], data, line) == 0, "a non-blocking read brings what the blocking write wrote");
    expect(sc_core::sc_time_stamp() - before < 8 * unloaded, "they overlap");
    finished = true;
  }

  void went_on(tlm::tlm_generic_payload& p, const tlm::tlm_phase& phase) {
    if (phase == tlm::END_REQ || phase == tlm::BEGIN_RESP) {
      m_requesting = false;
      m_request_over.notify(sc_core::SC_ZERO_TIME);
    }
    if (phase == tlm::BEGIN_RESP) answered(p);
  }
  void answered(tlm::tlm_generic_payload& p) {
    ++m_done;
    if (p.is_response_ok()) ++m_good;
    m_response.notify(sc_core::SC_ZERO_TIME);
  }

  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& p, tlm::tlm_phase& phase, sc_core::sc_time&) override {
    went_on(p, phase);
    if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
    p.release();
    return tlm::TLM_COMPLETED;
  }
  void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}

  bool m_requesting = false;
  int m_done = 0, m_good = 0;
  sc_core::sc_event m_request_over, m_response;
  unsigned char m_back[8][line] = {};
};

}  // namespace

int sc_main(int, char**) {
  memwall::dram_params params;
  params.standard = "DDR4-3200";
  params.functional = true;
  memwall::dram_module memory("memory", params);
  memwall::protocol_checker checker("checker");
  foreign_initiator initiator("initiator");
  initiator.socket.bind(checker.from_initiator);
  checker.to_target.bind(memory.port);
  sc_core::sc_start();
  expect(initiator.finished, "the simulation reached its end");
  expect(checker.errors() == 0 && checker.in_flight() == 0, "the protocol checker is silent\n" + checker.text());
  return failures == 0 ? 0 : 1;
}
