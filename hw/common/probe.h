// SPDX-License-Identifier: Apache-2.0
// Named values that modules keep up to date for waveforms and counters. Plain C++; setting one costs a
// compare and a store.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hw/common/quantity.h"

namespace memwall {

class probe_base;

/// Told of every change of the probes it listens to. It must not change the simulation.
class probe_listener {
 public:
  virtual ~probe_listener() = default;
  virtual void changed(const probe_base& p) = 0;
  /// A timed probe: `value` from `at` on, which may lie ahead or (a little) behind. NaN: unknown.
  virtual void changed_at(const probe_base& p, double value, ps_t at) = 0;
};

/// What a waveform writer needs to know of a probe.
class probe_base {
 public:
  enum class kind { boolean, integer, real, state };

  probe_base(std::string name, kind k, std::string unit)
      : m_name(std::move(name)), m_unit(std::move(unit)), m_kind(k) {}
  virtual ~probe_base() = default;
  probe_base(const probe_base&) = delete;
  probe_base& operator=(const probe_base&) = delete;

  const std::string& name() const { return m_name; }  ///< inside its module: "queue_depth"
  const std::string& unit() const { return m_unit; }  ///< of integers and reals; "" when a plain count
  kind type() const { return m_kind; }
  /// Names of the states, by value; only for kind::state.
  const std::vector<std::string>& states() const { return m_states; }
  void set_states(std::vector<std::string> names) { m_states = std::move(names); }
  /// The value now as a number (states: their index). Writers that poll by address use probe<T>::value().
  virtual double number() const = 0;
  /// `tag` is the listener's own: what it finds the probe by.
  void listen(probe_listener* l, std::size_t tag = 0) {
    m_listener = l;
    m_tag = tag;
  }
  bool listened() const { return m_listener != nullptr; }
  probe_listener* listener() const { return m_listener; }  ///< for one that wants to hear too and passes everything on
  std::size_t tag() const { return m_tag; }

 protected:
  probe_listener* m_listener = nullptr;

 private:
  std::string m_name, m_unit;
  kind m_kind;
  std::size_t m_tag = 0;
  std::vector<std::string> m_states;
};

/// T: bool, std::uint64_t, double, or unsigned (a state or a small count). The value has a fixed address.
template <class T>
class probe final : public probe_base {
  static_assert(std::is_same_v<T, bool> || std::is_same_v<T, std::uint64_t> || std::is_same_v<T, double> ||
                    std::is_same_v<T, unsigned>,
                "what every waveform writer can show");

 public:
  explicit probe(std::string name, std::string unit = "")
      : probe_base(std::move(name), default_kind(), std::move(unit)) {}
  /// A state machine: the value is an index into `states`.
  probe(std::string name, std::vector<std::string> states) : probe_base(std::move(name), kind::state, "") {
    set_states(std::move(states));
  }
  void set(T v) {
    if (v == m_value) return;
    m_value = v;
    if (m_listener != nullptr) m_listener->changed(*this);
  }
  const T& value() const { return m_value; }
  double number() const override { return static_cast<double>(m_value); }

 private:
  static constexpr kind default_kind() {
    return std::is_same_v<T, bool> ? kind::boolean : std::is_same_v<T, double> ? kind::real : kind::integer;
  }
  T m_value{};
};

/// A value whose changes become known before or after they happen: a core knows when the tiles that are there will be
/// computed, a DRAM engine tells its commands when it gets to simulate them. Times given to one probe must not
/// decrease.
class timed_probe final : public probe_base {
 public:
  timed_probe(std::string name, kind k, std::string unit = "") : probe_base(std::move(name), k, std::move(unit)) {}
  /// A state machine: the value is an index into `states`.
  timed_probe(std::string name, std::vector<std::string> states) : probe_base(std::move(name), kind::state, "") {
    set_states(std::move(states));
  }
  void set(double v, ps_t at) {
    if (v == m_value) return;
    m_value = v;
    if (m_listener != nullptr) m_listener->changed_at(*this, v, at);
  }
  /// Unknown from `at` on.
  void forget(ps_t at) {
    if (!std::isnan(m_value)) set(std::numeric_limits<double>::quiet_NaN(), at);
  }
  double number() const override { return m_value; }  ///< the last one given

 private:
  double m_value = std::numeric_limits<double>::quiet_NaN();
};

/// The probes of one module, in the order in which they are to be shown.
using probe_list = std::vector<probe_base*>;

/// A stretch of time in which something happened to a transfer, for timelines.
struct transfer_span {
  const char* module;  ///< full name of the module
  const char* what;    ///< "request", "response", "access", ...
  int source;
  std::uint64_t op;
  std::int64_t bytes;
  std::int64_t begin_ps, end_ps;
};

/// A stretch of time on the wires of one channel of a memory, for timelines.
struct channel_span {
  const char* module;  ///< full name of the module
  int channel;
  const char* wires;           ///< "data bus", "row commands", ...: spans of the same wires do not overlap
  int index;                   ///< which of several of them (pseudo-channels, ranks); -1: the channel has one
  const char* what;            ///< "read", "ACT", ...
  int rank, bank_group, bank;  ///< -1: does not matter
  std::int64_t row;            ///< -1: does not matter
  std::int64_t bursts;         ///< 0: not data
  std::int64_t begin_ps, end_ps;
};

/// Told of spans by the modules it is attached to. It must not change the simulation.
class transfer_observer {
 public:
  virtual ~transfer_observer() = default;
  virtual void span(const transfer_span& s) = 0;
  virtual void on_wires(const channel_span&) {}
};

}  // namespace memwall
