// SPDX-License-Identifier: Apache-2.0
#include "platforms/watch/served_timeline.h"

#include <fmt/format.h>

namespace memwall::platforms {

served_timeline::served_timeline(const std::string& path, int replicas) : m_out(path) {
  for (int i = 0; i < replicas; ++i) {
    m_processes.push_back(m_out.add_process(replicas == 1 ? "server" : fmt::format("server {}", i)));
    m_steps.push_back(m_out.add_track(m_processes.back(), "steps"));
  }
}

void served_timeline::step(const serving::served_step& s) {
  const auto at = static_cast<std::size_t>(s.replica);
  const char* kind = s.prompts == 0 ? "decode" : s.decodes == 0 ? "prompt" : "mixed";
  m_out.complete(m_steps[at], fmt::format("{} {}", kind, s.tokens), kind, s.start, s.end - s.start,
                 {{"prompts", s.prompts},
                  {"decodes", s.decodes},
                  {"tokens", s.tokens},
                  {"host_ns", static_cast<double>(s.host) / 1000},
                  {"memory_bytes", s.memory_bytes},
                  {"preempted", s.preempted}});
  m_out.counter(m_processes[at], "requests", s.end, {{"running", s.running}, {"waiting", s.waiting}});
  m_out.counter(m_processes[at], "KV blocks", s.end, {{"used", s.kv_used}});
}

void served_timeline::finish(const serving::request_list& asked, const serving::engine& server) {
  const int process = m_out.add_process("requests");
  const auto track = m_out.add_track(process, "requests");
  for (std::size_t i = 0; i < asked.requests.size(); ++i) {
    const auto& r = server.requests()[i];
    if (!r.completed) continue;
    const auto& a = asked.requests[i];
    const auto span = [&](const char* name, ps_t from, ps_t to) {
      // The viewer gives spans of one id and category a row of their own: the phases of a request follow each other
      // there.
      m_out.async_begin(track, i, name, "request", from,
                        {{"request", std::string_view(a.id)}, {"input_tokens", a.input}, {"output_tokens", a.output}});
      m_out.async_end(i, "request", to);
    };
    span("queue", r.arrival, r.scheduled);
    span("prefill", r.scheduled, r.first_token);
    if (r.last_token > r.first_token) span("decode", r.first_token, r.last_token);
  }
  m_out.finish();
}

}  // namespace memwall::platforms
