// SPDX-License-Identifier: Apache-2.0
// How well a model speaks on a platform: likelihoods and agreement with the reference.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platforms/values/generation.h"

namespace memwall::platforms {

struct inference_request {
  model shape;
  numerics arithmetic;
  std::shared_ptr<const weight_source> weights;
  const platform_description* platform = nullptr;  ///< nullptr: the reference itself
  value_settings settings;
  std::vector<std::int32_t> prompt;       ///< to go on from, or
  std::vector<std::int32_t> text;         ///< to be scored
  std::vector<std::int32_t> calibration;  ///< from which input ranges are fixed; empty: from the prompt or text
  std::int64_t new_tokens = 16;
  std::int64_t context = 256;               ///< positions of a window of a text
  bool compare = true;                      ///< with the reference
  std::function<void(double)> on_progress;  ///< share done
};

struct inference {
  generated made;           ///< of a prompt
  std::int64_t scored = 0;  ///< tokens whose likelihood was taken: of the text, or of the prompt after its first
  double nll = 0;           ///< their sum, in nats
  double reference_nll = 0;
  std::int64_t compared = 0, agreed = 0;
  double divergence = 0;  ///< summed
  std::vector<machine::layer_quality> layers;
  std::map<std::string, float> ranges;
  expert_routes routes;  ///< of the prompt and what follows, or of a text's first window
  double perplexity() const;
  double reference_perplexity() const;
};

/// A text is cut into windows that overlap by half: every token but those of the first half window is predicted from
/// at least context / 2 tokens before it.
inference infer(const inference_request& r);

/// Whether a core's input ranges are fixed beforehand, and the tokens that fix them.
bool fixes_ranges(const platform_description* p);
std::vector<std::int32_t> calibration_of(const inference_request& r);

/// The types that a platform's cores compute on where nobody says: integers as wide as the macros hold (at most 8 bits)
/// beside fp16, or fp16 alone.
dtypes usual_types(const platform_description& p);

}  // namespace memwall::platforms
