// SPDX-License-Identifier: Apache-2.0
// What a DRAM would have counted if the orders that were reused had been simulated: rows opened, time with rows open,
// time in use, time by cause. Orders of one kind and about one size do the same to a memory for each byte that they
// move, so what those that were simulated did tells what the others would have. (Bytes alone, over all kinds and
// sizes, do not: an operator that computes for long keeps rows open for few bytes, and a small one waits for more than
// it moves.)
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "platforms/build/hardware.h"

namespace memwall::platforms {

class tally_book {
 public:
  /// `memory` can count, and outlives it.
  explicit tally_book(hardware& memory) : m_memory(memory) {}

  /// An order begins now that moves `bytes` at the memory. What happens up to the next one that begins while none is
  /// under way is its own, or that of all that were under way meanwhile.
  void begin(std::size_t kind, bool simulated, std::int64_t bytes);
  /// One of them ends.
  void end() { --m_under_way; }
  /// No order will begin: tells the memory its estimate.
  void finish();

 private:
  /// A kind, and its bytes in steps of a hundredth.
  using sort = std::pair<std::size_t, int>;
  struct order {
    sort is;
    bool simulated;
    double bytes;
  };
  struct known {
    tally_figures figures;
    double bytes = 0;
    void add(const tally_figures& more, double share, double of_bytes);
  };
  void close();
  /// Orders like these, of the next size that is known; of no known kind: all.
  const known& nearest(const sort& is) const;

  hardware& m_memory;
  std::vector<order> m_orders;  ///< since none was under way last
  int m_under_way = 0;
  bool m_counting = false;          ///< one of them is simulated
  tally_figures m_before, m_after;  ///< since when; scratch
  std::map<sort, known> m_known;    ///< of orders beside which all were simulated
  known m_all;                      ///< of all that were simulated
  std::map<sort, double> m_unseen;  ///< bytes of reused orders
};

}  // namespace memwall::platforms
