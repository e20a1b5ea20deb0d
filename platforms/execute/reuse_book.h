// SPDX-License-Identifier: Apache-2.0
// What orders took, and what others like them will take. In the spirit of statistical sampling (SMARTS, Wunderlich et
// al., ISCA 2003): a few of each kind are simulated, the others take what those did, and a share, ever rarer, is
// simulated all the same to measure the error. No SystemC.
//
// Everything that a plan says is exact for every order (launch, bytes, arithmetic, energy: caches and arrays are asked
// in the order of execution, as ever). What is reused is the time between launch and drain, in which the machine
// matters: how long arithmetic and transfers took beside each other, over what the plan lets expect. That ratio is a
// property of the kind, moves little with the size, and is different in each instance, since refreshes come when they
// come: it is a mean over several.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "hw/common/stall.h"
#include "traces/reuse_report.h"

namespace memwall::platforms {

/// What decides how long an order takes, as far as its plan tells.
struct order_shape {
  std::vector<std::int64_t> kind;  ///< all that must be the same: core, causes, memories, who else is busy
  std::vector<double> sizes;       ///< picoseconds that the arithmetic, and each transfer, would take alone
  double expected = 0;             ///< picoseconds between launch and drain, from the sizes alone
  ps_t fixed = 0;                  ///< launch and drain
  /// Not longer than the interval of refreshes: whether it meets one decides what it takes, and when the next one
  /// starts, so that layers about as long as the interval of refreshes lock to it. No mean tells that: it is simulated.
  bool brief = false;
};

/// The time of an order between its launch and its drain.
struct order_outcome {
  ps_t time = 0;
  stall_stack parts;  ///< sums to it
  std::uint64_t transfers = 0;
};

class reuse_book {
 public:
  explicit reuse_book(double bound) { m_report.on = true, m_report.bound = bound; }

  /// A number for each kind, from 0.
  std::size_t number_of(const std::vector<std::int64_t>& kind);

  /// How it will go; nothing: it must be simulated, since too little is known, or to measure the error. `exact`:
  /// somebody wants it simulated.
  std::optional<order_outcome> ask(const order_shape& shape, bool exact = false);
  /// It was simulated. `counts`: under the conditions that its kind stands for.
  void tell(const order_shape& shape, const order_outcome& simulated, bool counts = true);
  /// An order of a machine on which nothing is reused.
  void pass() { ++m_report.operators, ++m_report.simulated; }
  /// What was known of it before, for somebody who has it simulated all the same: time with launch and drain. Nothing:
  /// it would have been simulated.
  std::optional<double> known_time(const order_shape& shape);
  /// What is known of the kind is not enough where it matters: the next one is simulated.
  void want(std::size_t kind) { m_kinds[kind].wanted = true; }

  const reuse_report& report() const { return m_report; }

 private:
  // Of a simulated order.
  struct sample {
    double expected = 0, ratio = 0;
    std::vector<double> sizes;
    std::vector<double> parts;  // shares of its time
    double transfers = 0;
  };
  struct prediction {
    double ratio = 0, error = 0;           // error: standard error of the ratio's mean, relative
    double nearest = 0;                    // distance of the nearest sample
    std::size_t samples = 0;               // within the radius
    bool smaller = false, larger = false;  // there are samples of such sizes, or of the same
    std::vector<double> parts;
    double transfers = 0;
  };
  struct kind_state {
    std::vector<sample> samples;  // by expected time
    double radius = 0.03;  // up to which distance samples stand for an order: grows and shrinks with what audits find
    double time = 0;       // of all orders
    std::int64_t reused = 0, next_audit = 8;
    double unaudited = 0;  // time reused since the last audit
    bool wanted = false;
  };
  struct hash {
    std::size_t operator()(const std::vector<std::int64_t>& v) const;
  };

  static double distance(const sample& s, const order_shape& shape);
  std::optional<prediction> predict(const kind_state& k, const order_shape& shape, double radius) const;
  std::optional<prediction> between(const kind_state& k, const order_shape& shape) const;
  bool is_enough(const kind_state& k, const prediction& p, const order_shape& shape, double wider) const;
  std::optional<prediction> known(const kind_state& k, const order_shape& shape) const;
  bool within_bound() const;
  void passes(kind_state& k, const order_shape& shape, double time);
  bool locks(const kind_state& k, const order_shape& shape) const;

  reuse_report m_report;
  std::unordered_map<std::vector<std::int64_t>, std::size_t, hash> m_numbers;  // looked up only
  std::vector<kind_state> m_kinds;
  double m_time = 0, m_brief_time = 0;  // of all orders; of brief ones
};

}  // namespace memwall::platforms
