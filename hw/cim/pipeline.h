// SPDX-License-Identifier: Apache-2.0
// Layers that sit in arrays of their own work at the same time, on different vectors.
#pragma once
#include <algorithm>
#include <cstdint>

#include "hw/common/quantity.h"

namespace memwall::cim {

/// Time that the vectors of an operator take after the first one, by what is busy with them.
struct stage_load {
  ps_t own = 0;     ///< its own arrays, converters, tile and chip links
  ps_t vector = 0;  ///< the vector unit, which every operator uses
  ps_t port = 0;    ///< the network of a chip that holds other layers too
  ps_t longest() const { return std::max({own, vector, port}); }
};

/// A chain of operators through which vectors follow one another: vector v enters the next operator as soon as the one
/// before is done with it, and waits only where an operator is still busy with vector v - 1. With F_i the time of one
/// vector alone in operator i and L_i that of the others behind it, the last vector leaves operator i at
///   sum of F_1..F_i + longest load met so far,
/// where arrays count each for itself and shared units by the sum of their loads. add() gives the difference to
/// operator i - 1: what the operator adds to the time.
class vector_pipeline {
 public:
  /// `first`: F_i. Another number of vectors than before starts a new chain.
  ps_t add(std::int64_t vectors, ps_t first, const stage_load& load) {
    if (vectors != m_vectors) drain();
    m_vectors = vectors;
    m_vector += load.vector;
    m_port += load.port;
    const ps_t longest = std::max({m_longest, load.own, m_vector, m_port});
    const ps_t added = first + longest - m_longest;
    m_longest = longest;
    return added;
  }
  /// The next operator waits for the last vector.
  void drain() { m_vectors = 0, m_longest = m_vector = m_port = 0; }

 private:
  std::int64_t m_vectors = 0;
  ps_t m_longest = 0, m_vector = 0, m_port = 0;
};

}  // namespace memwall::cim
