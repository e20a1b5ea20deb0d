// SPDX-License-Identifier: Apache-2.0
// Phi-3: LLaMA's form; its files hold q, k, v and gate, up fused, as memwall does for every model.
#include "models/fields.h"

namespace memwall {
namespace {

void read_phi3(fields& f, model& m) {
  m.family = "phi3";
  common_shape(f, m, false);
  m.ffn = f.count({"intermediate_size"}, most_ffn);
  m.activation = f.text_or({"hidden_act"}, "silu");
  m.qkv_bias = m.out_bias = f.flag_or({"attention_bias"}, false);
  m.window = f.count_or({"sliding_window"}, 0, 1, most_positions);
}

const family_entry phi3{"phi3", "Phi-3", read_phi3};

}  // namespace
}  // namespace memwall
