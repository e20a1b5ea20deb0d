// SPDX-License-Identifier: Apache-2.0
// What travels over every memwall socket: a TLM generic payload with a pooled extension.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

#include "hw/common/stall.h"
#include "hw/ports/arena.h"
#include "hw/ports/prefetch.h"
#include "hw/ports/systemc.h"
#include "hw/ports/traffic.h"

namespace memwall {

/// A transfer is a generic payload; its size is a speed knob (one DRAM burst up to megabytes), nothing else
/// depends on it.
using transfer = tlm::tlm_generic_payload;

/// A command for targets that compute (CIM macros). `kind` 0: a plain read or write.
struct transfer_command {
  std::uint32_t kind = 0;            ///< meaning is the target's
  std::uint64_t argument = 0;        ///< index or small immediate
  const void* descriptor = nullptr;  ///< owned by the initiator, alive until on_complete
};

/// memwall's extension of a payload: who, what for, since when, and where the time went.
///
/// Booking: [issued, booked_until] is already in `parts`. Whoever holds the transfer books the time it took
/// before handing it on, so at completion parts.sum() == completion - issued, to the picosecond.
class transfer_info : public tlm::tlm_extension<transfer_info> {
 public:
  int source = 0;                          ///< initiator id, given by the platform (>= 0)
  std::uint64_t op = 0;                    ///< operator of the trace that asked for it
  traffic carries = traffic::activations;  ///< what the bytes are
  ps_t issued = 0;                         ///< time of at_initiator_port::send
  /// Time at which the first byte of the data was available at the last hop passed (the target: when its
  /// first data beat ended). The next hop may have started moving data then (cut-through). `never`: not
  /// known, the whole came at once.
  ps_t first_data = never;
  /// By how much the average byte's data preceded the last one's, at the target; 0: not known.
  ps_t spread = 0;
  /// Least time between two successive 64-byte parts of the data, for initiators and hops that cannot take or
  /// deliver them faster; 0: none. Unit: picoseconds per 64 bytes.
  ps_t pace = 0;
  ps_t booked_until = 0;
  const void* origin = nullptr;  ///< the at_initiator_port that sent it first

  /// Books the time from booked_until to `until` to `cause`. Times before booked_until are ignored.
  void book(stall cause, ps_t until) {
    if (until > booked_until) {
      parts[cause] += until - booked_until;
      booked_until = until;
    }
  }
  /// Books the time from booked_until to `until` in the proportions of `weights`; all zero: to `otherwise`.
  void book(const stall_stack& weights, ps_t until, stall otherwise) {
    if (until <= booked_until) return;
    const ps_t span = until - booked_until;
    if (weights.sum() == span)
      parts += weights;
    else
      parts += apportion(span, weights, otherwise);
    booked_until = until;
  }

  // Each hop keeps its own state of a transfer here, keyed by the hop instance: cascaded buses do not disturb
  // each other.
  /// State that `owner` attached last (a path may pass it twice); nullptr if none.
  void* hop(const void* owner) const {
    for (std::size_t i = m_hops; i-- > 0;)
      if (m_hop[i].first == owner) return m_hop[i].second;
    return nullptr;
  }
  /// Attaches state. At most `max_hops` instances on one path; more is a fatal report.
  void attach_hop(const void* owner, void* state);
  void detach_hop(const void* owner);
  static constexpr std::size_t max_hops = 12;

  /// Starts to load this and what the hops attached into the host's caches.
  void prefetch() const { memwall::prefetch(this, sizeof *this - sizeof m_hop + 2 * sizeof m_hop[0]); }
  void prefetch_hops() const {
    for (std::size_t i = 0; i < m_hops; ++i) memwall::prefetch(m_hop[i].second, 64);
  }

  /// Fresh for another use of the pooled object.
  void reset();

  tlm::tlm_extension_base* clone() const override;
  void copy_from(const tlm::tlm_extension_base& other) override;

  transfer_command command;
  stall_stack parts;

 private:
  std::size_t m_hops = 0;
  std::pair<const void*, void*> m_hop[max_hops];
};

/// A payload with its extension side by side, as payload_pool makes them.
class pooled_transfer final : public transfer {
 public:
  explicit pooled_transfer(tlm::tlm_mm_interface* pool) : transfer(pool) {
    set_extension(static_cast<transfer_info*>(&m_info));
  }
  ~pooled_transfer() override { clear_extension(static_cast<transfer_info*>(&m_info)); }  // before it goes
  transfer_info& info() { return m_info; }

 private:
  struct kept_info final : transfer_info {
    void free() override {}  // goes with the payload
  };
  kept_info m_info;
};

/// Whether the payload is surely a pooled_transfer: one of another library with its own copy of the type is not
/// recognised, and goes the long way in info().
inline bool is_pooled(const transfer& t) {
  return &typeid(t) == &typeid(pooled_transfer);
}

/// The extension of a payload that came from a payload_pool or through an at_target_port: always there. That of a
/// pooled one is found without a look into the payload's table of extensions, which is a cache line of its own.
inline transfer_info& info(transfer& t) {
  return is_pooled(t) ? static_cast<pooled_transfer&>(t).info() : *t.get_extension<transfer_info>();
}
inline const transfer_info& info(const transfer& t) {
  return info(const_cast<transfer&>(t));
}

/// Payloads with their extension, recycled: no heap allocation a transfer once warm. Data pointers are never
/// null: transfers without functional data point into one scratch buffer that grows to the largest transfer
/// (never touched, so it costs address space and no memory).
class payload_pool : public tlm::tlm_mm_interface {
 public:
  payload_pool() = default;
  payload_pool(const payload_pool&) = delete;
  payload_pool& operator=(const payload_pool&) = delete;

  /// A payload with every attribute set and response TLM_INCOMPLETE_RESPONSE, reference count 0. `bytes` in 1
  /// .. 2^32-1. `data`: the initiator's bytes, `bytes` long, or nullptr for timing only.
  transfer& make(tlm::tlm_command command, std::uint64_t address, std::uint64_t bytes, unsigned char* data = nullptr);

  void free(transfer* t) override;
  std::size_t allocated() const { return m_all.size(); }  ///< payloads ever made
  std::size_t idle() const { return m_idle.size(); }      ///< of them, in the pool now

 private:
  struct release_memory {
    void operator()(unsigned char* p) const { std::free(p); }
  };
  unsigned char* scratch(std::uint64_t bytes);
  arena<pooled_transfer> m_all;
  std::vector<transfer*> m_idle;
  std::vector<std::unique_ptr<unsigned char, release_memory>>
      m_scratch;  // old ones stay: payloads in flight point there
  std::uint64_t m_scratch_bytes = 0;
};

}  // namespace memwall
