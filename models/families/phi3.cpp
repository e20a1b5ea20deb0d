// SPDX-License-Identifier: Apache-2.0
// Phi-3: LLaMA's form; its files hold q, k, v and gate, up fused, as memwall does for every model.
#include "models/fields.h"

namespace memwall {
namespace {

void read_phi3(fields& f, model& m) {
  m.family = "phi3";
  common_shape(f, m, {});
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_act"}, "silu");
  m.rope_fraction = f.number_or({"partial_rotary_factor"}, 1, 0, 1);
  read_windows(
      f, m, f.count_or({"sliding_window"}, 0, 1, most_positions), [](std::int64_t) { return true; }, false);
  // Written into files of this form; the library's class has none of these features.
  for (const char* absent : {"attention_bias", "mlp_bias", "lm_head_bias"})
    f.only(absent, "false", "the family has no such biases");
  f.only("full_attn_mod", "1", "not modelled");
  f.irrelevant({"interpolate_factor"});
}

const family_entry phi3{"phi3", "Phi-3", read_phi3};

}  // namespace
}  // namespace memwall
