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

/// Weights that remember the largest number of each row that went by: the pass that fixes ranges reads every row, so
/// that scales need no reading of their own.
class noting_source final : public weight_source {
 public:
  explicit noting_source(std::shared_ptr<const weight_source> of, const model& m) : m_of(std::move(of)) {
    for (const weight& w : weights_of(m)) m_largest[w.name].assign(static_cast<std::size_t>(w.rows), unknown);
  }
  // A row belongs to one thread at a time.
  void block(const weight& w, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t columns,
             float* out) const override {
    m_of->block(w, first, count, column, columns, out);
    if (columns != w.columns) return;
    float* largest = m_largest.at(w.name).data() + first;
    for (std::int64_t r = 0; r < count; ++r)
      if (largest[r] == unknown) largest[r] = largest_magnitude(out + r * columns, columns);
  }
  void rest(const weight& w) const override { m_of->rest(w); }
  bool largest_of_rows(const weight& w, float* out) const override {
    const auto& largest = m_largest.at(w.name);
    std::copy(largest.begin(), largest.end(), out);
    return std::find(largest.begin(), largest.end(), unknown) == largest.end();
  }

 private:
  static constexpr float unknown = -1;
  std::shared_ptr<const weight_source> m_of;
  mutable std::map<std::string, std::vector<float>> m_largest;
};

/// The reference's logits, the last ones kept: ranges are fixed on a text that is often what is scored first.
class reference_pass {
 public:
  reference_pass(const inference_request& r, const weight_source& weights)
      : m_request(r),
        m_settings(reference_settings(r.settings)),
        m_machine(r.shape, r.arithmetic, weights, nullptr, m_settings) {}
  const std::vector<float>& logits(const tokens& t) {
    if (t != m_tokens) {
      m_logits = logits_of(m_machine, m_request.shape, m_settings.types, t);
      m_tokens = t;
    }
    return m_logits;
  }
  const std::map<std::string, float>& largest_inputs() const { return m_machine.largest_inputs(); }

 private:
  const inference_request& m_request;
  value_settings m_settings;
  machine m_machine;
  tokens m_tokens;
  std::vector<float> m_logits;
};

/// Weights that are no numbers make logits that are none.
void check_numbers(const inference_request& r, const float* logits, std::size_t count) {
  if (!std::all_of(logits, logits + count, [](float v) { return std::isfinite(v); }))
    throw input_error(problem{r.shape.name, "", "gives logits that are infinite or no numbers (NaN)",
                              "weights and types that keep every value finite", ""});
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

}  // namespace

double inference::perplexity() const {
  return scored > 0 ? std::exp(nll / static_cast<double>(scored)) : 0;
}
double inference::reference_perplexity() const {
  return compared > 0 && scored > 0 ? std::exp(reference_nll / static_cast<double>(scored)) : 0;
}

namespace {

/// Input ranges of products, from the begin of a text in single precision.
std::map<std::string, float> ranges_of(const inference_request& r, const weight_source& weights,
                                       reference_pass& reference, bool compare) {
  const tokens seen = calibration_of(r);
  if (compare && r.calibration.empty()) {
    reference.logits(seen);  // which will be asked for
    return reference.largest_inputs();
  }
  value_settings s = reference_settings(r.settings);
  s.ranges_only = true;
  machine noting(r.shape, r.arithmetic, weights, nullptr, s);
  pass_over(noting, r.shape, s.types, seen);
  return noting.largest_inputs();
}

}  // namespace

inference infer(const inference_request& r) {
  const model& m = r.shape;
  const bool compare = r.compare && r.platform != nullptr, fixed = fixes_ranges(r.platform);
  std::shared_ptr<const weight_source> weights = r.weights;
  if (fixed) weights = std::make_shared<noting_source>(r.weights, m);
  reference_pass reference(r, *weights);
  inference out;
  if (fixed) out.ranges = ranges_of(r, *weights, reference, compare);
  const auto window = static_cast<std::size_t>(r.context), vocab = static_cast<std::size_t>(m.vocab);
  value_settings settings = r.settings;
  settings.once = settings.once || (r.text.empty() ? r.new_tokens == 1 : r.text.size() <= window);
  machine own(m, r.arithmetic, *weights, r.platform, settings, out.ranges);
  comparison with(out, m.vocab);
  const auto progress = [&](double share) {
    if (r.on_progress) r.on_progress(share);
  };

  if (!r.text.empty()) {
    for (std::size_t at = 0;; at += window / 2) {
      const std::size_t end = std::min(at + window, r.text.size());
      const tokens part(r.text.begin() + static_cast<std::ptrdiff_t>(at),
                        r.text.begin() + static_cast<std::ptrdiff_t>(end));
      const auto logits = logits_of(own, m, r.settings.types, part);
      check_numbers(r, logits.data(), logits.size());
      const float* exact = compare ? reference.logits(part).data() : nullptr;
      for (std::size_t i = at == 0 ? 0 : window / 2 - 1; i + 1 < part.size(); ++i)
        with.score(&logits[i * vocab], compare ? exact + i * vocab : nullptr, part[i + 1]);
      progress(static_cast<double>(end) / static_cast<double>(r.text.size()));
      if (end == r.text.size()) break;
    }
  } else {
    // The prompt's likelihood is told where there is something to compare with, and of the reference itself.
    const bool scores = r.prompt.size() > 1 && (compare || r.platform == nullptr);
    std::vector<float> logits;  // of the prompt
    if (r.new_tokens == 1) {
      logits = logits_of(own, m, r.settings.types, r.prompt);
      out.made.logits.emplace_back(logits.end() - m.vocab, logits.end());
      out.made.tokens.push_back(arg_max(out.made.logits.back().data(), m.vocab));
      progress(1);
    } else {
      const auto w = workload_for(r.settings.types, static_cast<std::int64_t>(r.prompt.size()), r.new_tokens);
      out.made = generate_tokens(own, m, w, r.prompt, r.new_tokens, [&](std::int64_t n) {
        progress(static_cast<double>(n) / static_cast<double>(r.new_tokens));
      });
      if (scores) logits = logits_of(own, m, r.settings.types, r.prompt);
    }
    for (const auto& row : out.made.logits) check_numbers(r, row.data(), row.size());
    const float* exact = nullptr;
    if (compare) {
      // The reference reads what was written here, so that one slip does not count again at each later token.
      tokens all = r.prompt;
      all.insert(all.end(), out.made.tokens.begin(), out.made.tokens.end() - 1);
      exact = reference.logits(all).data();
      for (std::size_t i = 0; i < out.made.logits.size(); ++i)
        with.compare(out.made.logits[i].data(), exact + (r.prompt.size() - 1 + i) * vocab);
    }
    for (std::size_t i = 0; scores && i + 1 < r.prompt.size(); ++i) {
      if (compare) out.reference_nll += negative_log_likelihood(exact + i * vocab, m.vocab, r.prompt[i + 1]);
      with.score(&logits[i * vocab], nullptr, r.prompt[i + 1]);
    }
  }
  out.layers = own.quality();
  out.routes = own.routes();
  return out;
}

bool fixes_ranges(const platform_description* p) {
  return p != nullptr && std::any_of(p->modules.begin(), p->modules.end(), [](const module_description& d) {
           const value_core core(d);
           return core.on_integers() && !core.ranges_by_vector();
         });
}

tokens calibration_of(const inference_request& r) {
  tokens seen = !r.calibration.empty() ? r.calibration : !r.text.empty() ? r.text : r.prompt;
  seen.resize(std::min(seen.size(), static_cast<std::size_t>(r.context)));
  return seen;
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
