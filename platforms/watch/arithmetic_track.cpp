// SPDX-License-Identifier: Apache-2.0
#include "platforms/watch/arithmetic_track.h"

#include <algorithm>
#include <cmath>

namespace memwall::platforms {

arithmetic_track::arithmetic_track(probe_base& p, timeline_writer& to, int process, const std::string& name,
                                   std::function<bool(std::uint64_t, ps_t, ps_t)> in_window)
    : m_probe(p),
      m_next(p.listener()),
      m_writer(to),
      m_track(to.add_track(process, name)),
      m_in_window(std::move(in_window)),
      m_times(p.states().size()) {
  if (m_in_window) m_phases = to.add_track(process, name + ", phases");
  p.listen(this, p.tag());
}

void arithmetic_track::changed(const probe_base& p) {
  if (m_next != nullptr) m_next->changed(p);
}

void arithmetic_track::changed_at(const probe_base& p, double value, ps_t at) {
  if (m_next != nullptr) m_next->changed_at(p, value, at);
  if (m_state != 0 && at > m_since) {  // state 0: idle
    m_times[m_state] += at - m_since;
    m_begin = std::min(m_begin, m_since);
    m_end = std::max(m_end, at);
    if (m_phases && m_in_window(m_op, m_since, at))
      m_writer.complete(*m_phases, p.states()[m_state], "phase", m_since, at - m_since, {{"operator", m_op}},
                        timeline_writer::importance::detail);
  }
  m_state = std::isnan(value) ? 0 : static_cast<std::size_t>(value);
  m_since = at;
}

void arithmetic_track::ended(const std::string& name, const std::string& kind) {
  if (m_begin != never) {
    timeline_args args{{"operator", m_op}};
    std::vector<std::string> keys;
    keys.reserve(m_times.size());
    for (std::size_t s = 1; s < m_times.size(); ++s)
      if (m_times[s] > 0)
        args.emplace_back(keys.emplace_back(m_probe.states()[s] + "_ns"), static_cast<double>(m_times[s]) / 1000);
    m_writer.complete(m_track, name, kind, m_begin, m_end - m_begin, args);
  }
  std::fill(m_times.begin(), m_times.end(), 0);
  m_begin = never;
  m_end = 0;
}

}  // namespace memwall::platforms
