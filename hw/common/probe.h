// SPDX-License-Identifier: Apache-2.0
// Named values that modules keep up to date for waveforms and counters. Plain C++; setting one costs a
// compare and a store.
#pragma once
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace memwall {

class probe_base;

/// Told of every change of the probes it listens to. It must not change the simulation.
class probe_listener {
 public:
  virtual ~probe_listener() = default;
  virtual void changed(const probe_base& p) = 0;
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
  void listen(probe_listener* l) { m_listener = l; }

 protected:
  probe_listener* m_listener = nullptr;

 private:
  std::string m_name, m_unit;
  kind m_kind;
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

/// Told of spans by the modules it is attached to. It must not change the simulation.
class transfer_observer {
 public:
  virtual ~transfer_observer() = default;
  virtual void span(const transfer_span& s) = 0;
};

}  // namespace memwall
