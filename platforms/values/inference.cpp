// SPDX-License-Identifier: Apache-2.0
#include "platforms/values/inference.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace memwall::platforms {
namespace {

using tokens = std::vector<std::int32_t>;

value_settings reference_settings(const value_settings& s) {
  value_settings out;
  out.types = dtypes::parse("fp32");
  out.threads = s.threads;
  return out;
}

class comparison {
 public:
  comparison(inference& out, std::int64_t vocab) : m_out(out), m_vocab(vocab) {}
  void score(const float* logits, const float* reference, std::int32_t next) {
    ++m_out.scored;
    m_out.nll += negative_log_likelihood(logits, m_vocab, next);
    if (reference == nullptr) return;
    m_out.reference_nll += negative_log_likelihood(reference, m_vocab, next);
    compare(logits, reference);
  }
  void compare(const float* logits, const float* reference) {
    ++m_out.compared;
    m_out.agreed += arg_max(logits, m_vocab) == arg_max(reference, m_vocab) ? 1 : 0;
    m_out.divergence += divergence(reference, logits, m_vocab);
  }

 private:
  inference& m_out;
  std::int64_t m_vocab;
};

bool fixes_ranges(const inference_request& r) {
  if (r.platform == nullptr) return false;
  return std::any_of(r.platform->modules.begin(), r.platform->modules.end(), [](const module_description& d) {
    const value_core core(d);
    return core.on_integers() && !core.ranges_by_vector();
  });
}

}  // namespace

double inference::perplexity() const {
  return scored > 0 ? std::exp(nll / static_cast<double>(scored)) : 0;
}
double inference::reference_perplexity() const {
  return compared > 0 && scored > 0 ? std::exp(reference_nll / static_cast<double>(scored)) : 0;
}

inference infer(const inference_request& r) {
  const model& m = r.shape;
  machine reference(m, r.arithmetic, *r.weights, nullptr, reference_settings(r.settings));
  inference out;
  if (fixes_ranges(r)) {
    tokens seen = !r.calibration.empty() ? r.calibration : !r.text.empty() ? r.text : r.prompt;
    seen.resize(std::min(seen.size(), static_cast<std::size_t>(r.context)));
    logits_of(reference, m, reference_settings(r.settings).types, seen);
    out.ranges = reference.largest_inputs();
  }
  machine own(m, r.arithmetic, *r.weights, r.platform, r.settings, out.ranges);
  const bool compare = r.compare && r.platform != nullptr;
  comparison with(out, m.vocab);
  const auto vocab = static_cast<std::size_t>(m.vocab);
  const auto progress = [&](double share) {
    if (r.on_progress) r.on_progress(share);
  };

  if (!r.text.empty()) {
    const auto window = static_cast<std::size_t>(r.context);
    for (std::size_t at = 0;; at += window / 2) {
      const std::size_t end = std::min(at + window, r.text.size());
      const tokens part(r.text.begin() + static_cast<std::ptrdiff_t>(at),
                        r.text.begin() + static_cast<std::ptrdiff_t>(end));
      const auto logits = logits_of(own, m, r.settings.types, part);
      std::vector<float> exact;
      if (compare) exact = logits_of(reference, m, reference_settings(r.settings).types, part);
      for (std::size_t i = at == 0 ? 0 : window / 2 - 1; i + 1 < part.size(); ++i)
        with.score(&logits[i * vocab], compare ? &exact[i * vocab] : nullptr, part[i + 1]);
      progress(static_cast<double>(end) / static_cast<double>(r.text.size()));
      if (end == r.text.size()) break;
    }
  } else {
    const auto w = workload_for(r.settings.types, static_cast<std::int64_t>(r.prompt.size()), r.new_tokens);
    out.made = generate_tokens(own, m, w, r.prompt, r.new_tokens, [&](std::int64_t n) {
      progress(static_cast<double>(n) / static_cast<double>(r.new_tokens));
    });
    tokens all = r.prompt;
    all.insert(all.end(), out.made.tokens.begin(), out.made.tokens.end() - 1);
    if (compare) {
      // The reference reads what was written here, so that one slip does not count again at each later token.
      const auto exact = logits_of(reference, m, reference_settings(r.settings).types, all);
      for (std::size_t i = 0; i < out.made.logits.size(); ++i)
        with.compare(out.made.logits[i].data(), &exact[(r.prompt.size() - 1 + i) * vocab]);
      if (r.prompt.size() > 1) {
        const auto logits = logits_of(own, m, r.settings.types, r.prompt);
        for (std::size_t i = 0; i + 1 < r.prompt.size(); ++i) {
          out.reference_nll += negative_log_likelihood(&exact[i * vocab], m.vocab, r.prompt[i + 1]);
          with.score(&logits[i * vocab], nullptr, r.prompt[i + 1]);
        }
      }
    } else if (r.platform == nullptr && r.prompt.size() > 1) {
      const auto logits = logits_of(own, m, r.settings.types, r.prompt);
      for (std::size_t i = 0; i + 1 < r.prompt.size(); ++i) with.score(&logits[i * vocab], nullptr, r.prompt[i + 1]);
    }
  }
  out.layers = own.quality();
  return out;
}

dtypes usual_types(const platform_description& p) {
  int bits = 0;
  for (const auto& d : p.modules) {
    const value_core core(d);
    if (core.on_integers())
      bits = bits == 0 ? std::min(8, core.macro()->max_w_bits()) : std::min(bits, core.macro()->max_w_bits());
  }
  return dtypes::parse(bits == 0 ? "fp16" : "int" + std::to_string(bits) + "/fp16/fp16");
}

}  // namespace memwall::platforms
