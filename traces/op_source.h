// SPDX-License-Identifier: Apache-2.0
// Where the operators of a run come from, asked with the simulated time.
//
// A file and the generator know all of their operators beforehand and ignore the time (timeless_source). A server of
// requests does not: it forms its next batch from the requests that have arrived, so it looks at the clock, and may
// answer "not yet".
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "hw/common/quantity.h"
#include "hw/common/stall.h"
#include "traces/trace.h"

namespace memwall::trace {

/// What a source says when it is asked for the next operator.
class answer {
 public:
  /// `out` holds the next operator.
  static answer ready() { return answer(what::ready); }
  /// There will be no other operator.
  static answer end() { return answer(what::end); }
  /// Nothing yet: ask again at `time`, which must lie ahead.
  static answer ask_at(ps_t time) { return answer(what::wait, time); }
  /// Nothing yet: ask again when operator `id` has ended, which it must not have yet.
  static answer ask_after(std::uint64_t id) { return answer(what::wait, never, id); }
  /// Nothing yet: ask again when the next operator has ended, whichever that is.
  static answer ask_after_any() { return answer(what::wait, never, any); }
  /// The same, but at `time` at the latest.
  answer or_at(ps_t time) const { return answer(m_what, time, m_after); }

  bool is_ready() const { return m_what == what::ready; }
  bool is_end() const { return m_what == what::end; }
  /// Of a source that waits: when it wants to be asked; `never`: only after an operator.
  ps_t at() const { return m_at; }
  /// Of a source that waits: whether the end of operator `id` is what it waits for.
  bool waits_for(std::uint64_t id) const { return m_after == any || m_after == id; }
  bool waits_for_any() const { return m_after == any; }
  /// The one operator that it waits for.
  std::optional<std::uint64_t> operator_id() const {
    return m_after == any || m_after == none ? std::nullopt : std::optional(m_after);
  }

 private:
  enum class what : std::uint8_t { ready, wait, end };
  static constexpr std::uint64_t none = UINT64_MAX, any = UINT64_MAX - 1;
  explicit answer(what w, ps_t at = never, std::uint64_t after = none) : m_what(w), m_at(at), m_after(after) {}
  what m_what;
  ps_t m_at;
  std::uint64_t m_after;
};

/// What a source is told of an operator that has ended.
struct ended_op {
  const op& what;
  ps_t start = 0, end = 0;        ///< of its first part and its last, sums over devices included
  const stall_stack& parts;       ///< where its time went; sums to end - start
  const stall_stack& path;        ///< where the time since zero went, along the operators that led to this; sums to end
  std::int64_t memory_bytes = 0;  ///< asked of memories by all of its parts
  double energy_pj = 0;           ///< spent by its cores
};

class op_source {
 public:
  virtual ~op_source() = default;

  /// Workload and tensors. The tensors are those of the trace by which the run places them.
  virtual const trace::header& header() const = 0;

  /// The next operator, "not yet" or "end". Ids are 0, 1, 2, ... in the order of the answers; dependencies may name
  /// operators that have ended long ago. The source is asked at `now` until it answers something else than ready, or
  /// until the run has read far enough ahead; `now` never goes back. `out` is overwritten (its buffers are reused).
  virtual answer next(ps_t now, op& out) = 0;

  /// Told of every operator, at its end and before the source is asked again.
  virtual void ended(const ended_op&) {}

  /// Whether what operators take may be reused from others that were alike; false: a source that measures how wrong
  /// that is wants them simulated.
  virtual bool may_reuse() const { return true; }

  /// Where it does not: by how many picoseconds the time that was known of an operator is longer than simulated. Told
  /// before its end; not told where nothing was known.
  virtual void known_longer(std::uint64_t /*id*/, double /*ps*/) {}
  /// How many operators of the run the one that starts now stands for: 0 where only its neighbours matter.
  virtual double stands_for(std::uint64_t /*id*/) const { return 1; }

  /// Operators in all, where known beforehand; else -1. (For progress.)
  virtual std::int64_t size() const { return -1; }

  /// Tokens made so far, by a source that counts them itself; the others' follow from the header's workload.
  virtual std::optional<std::int64_t> tokens() const { return std::nullopt; }
};

/// A trace that is known beforehand, as a source.
class timeless_source final : public op_source {
 public:
  explicit timeless_source(std::unique_ptr<op_stream> stream) : m_stream(std::move(stream)) {}
  const trace::header& header() const override { return m_stream->header(); }
  answer next(ps_t, op& out) override { return m_stream->next(out) ? answer::ready() : answer::end(); }
  std::int64_t size() const override { return m_stream->size(); }

 private:
  std::unique_ptr<op_stream> m_stream;
};

}  // namespace memwall::trace
