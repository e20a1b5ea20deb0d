// SPDX-License-Identifier: Apache-2.0
#include "models/training.h"

#include <algorithm>
#include <map>

namespace memwall {
namespace {

constexpr std::int64_t half = 2, single = 4;  // bytes of a value in 16 and 32 bits

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Activations ---------------------------------------------------------------------------------------------------------

/// Bytes that a token leaves in a layer, by what keeps them. `whole` is on every device of a tensor-parallel group,
/// unless sequence parallelism cuts it too; `cut` is divided by tensor parallelism.
struct token_bytes {
  std::map<std::string, std::int64_t> whole, cut;
};

/// Attention: the inputs of its norm and of its products, what its scores are made of, its result.
void add_attention(const training_setup& t, const model& m, token_bytes& out) {
  const std::int64_t h = m.hidden;
  out.whole["norms"] += half * h;
  out.whole["attention"] += half * h;  // input of the products
  if (m.mla) {
    const auto& a = *m.mla;
    // Latents before and after their norm, the keys' rotated part; queries, keys, values and the result.
    out.whole["attention"] += half * (2 * (a.q_rank + a.kv_rank) + a.rope);
    out.cut["attention"] += half * m.heads * (2 * (a.nope + a.rope) + 2 * a.value);
  } else {
    const std::int64_t group = t.tensor;
    // Fewer KV heads than devices are copied: what the group holds together is more than there are.
    const std::int64_t kv = ceil_div(m.kv_heads, group) * group, queries = m.heads;
    out.cut["attention"] += half * m.head_dim * (2 * queries + 2 * kv);
    if (m.qk_norm) out.cut["norms"] += half * m.head_dim * (queries + kv);
  }
  const std::int64_t seen = t.length;
  if (t.keeps_scores(m)) {
    out.cut["scores"] += half * m.heads * seen;                              // of the softmax
    if (t.has_dropout(m)) out.cut["scores"] += (half + 1) * m.heads * seen;  // after dropout, and its mask
  }
  if (t.has_dropout(m)) out.whole["dropout masks"] += h;
}

void add_plain_mlp(const training_setup& t, const model& m, std::int64_t width, token_bytes& out) {
  // Inputs of the activation and of the last product; eager kernels also keep the activation's result beside the
  // product with it.
  out.cut["mlp"] += half * width * (m.gated ? 3 : 2);
  if (m.gated && t.kernels == "eager") out.cut["mlp"] += half * width;
}

void add_mlp(const training_setup& t, const model& m, std::int64_t layer, token_bytes& out) {
  const std::int64_t h = m.hidden;
  const bool own_norm = !m.parallel_blocks || !m.shared_norm;
  if (own_norm) {
    if (!m.parallel_blocks) out.whole["norms"] += half * h;  // parallel blocks share the layer's input
    out.whole["mlp"] += half * h;
  }
  if (m.is_moe(layer)) {
    const auto& e = *m.moe;
    out.whole["mlp"] += single * e.experts;     // of the router's softmax
    out.cut["mlp"] += 2 * half * h * e.active;  // rows sent to experts, and what comes back
    add_plain_mlp(t, m, e.ffn * e.active, out);
    if (e.shared > 0) add_plain_mlp(t, m, e.ffn * e.shared, out);
  } else {
    add_plain_mlp(t, m, m.ffn, out);
  }
  if (t.has_dropout(m)) out.whole["dropout masks"] += h;
}

/// What one token leaves in a layer when nothing is computed again.
token_bytes full_token(const training_setup& t, const model& m, std::int64_t layer) {
  token_bytes out;
  add_attention(t, m, out);
  add_mlp(t, m, layer, out);
  if (m.post_norms) out.whole["norms"] += 2 * half * m.hidden;
  // Eager RMS norms keep their input in 32 bits instead of 16, and the normed values that their gain multiplies.
  if (t.kernels == "eager") out.whole["norms"] += single * m.hidden * (m.parallel_blocks ? 1 : 2);
  return out;
}

/// What is kept of it with recomputation.
token_bytes kept_token(const training_setup& t, const model& m, std::int64_t layer) {
  token_bytes out = full_token(t, m, layer);
  if (t.recompute == "selective" && t.selective == "attention") out.cut.erase("scores");
  if (t.recompute == "none" || (t.recompute == "selective" && t.selective == "attention")) return out;
  out = {};
  out.whole["layer inputs"] = half * m.hidden;
  if (t.recompute == "full") return out;
  // Results of every second product in their order (queries, keys, values, output; gate, up, down) and of attention.
  const std::int64_t q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  out.cut["attention"] = half * (q + kv + q);
  out.cut["mlp"] = half * m.ffn;
  out.whole["mlp"] = half * m.hidden;
  return out;
}

using classes = std::map<std::string, std::int64_t>;

/// Bytes on one device of `tokens` tokens.
void add_tokens(const training_setup& t, const token_bytes& token, std::int64_t tokens, classes& out) {
  for (const auto& [kind, bytes] : token.whole)
    out["activations: " + kind] += ceil_div(checked_product({bytes, tokens}), t.sequence ? t.tensor : 1);
  for (const auto& [kind, bytes] : token.cut)
    out["activations: " + kind] += ceil_div(checked_product({bytes, tokens}), t.tensor);
}

// Weights -------------------------------------------------------------------------------------------------------------

/// Parameters on one device.
struct parameters {
  std::int64_t dense = 0;          ///< replicated over data parallelism
  std::int64_t experts = 0;        ///< cut over expert parallelism
  std::int64_t largest_layer = 0;  ///< of all its layers, experts included
  std::int64_t ends = 0;           ///< embedding, last norm and output
  std::int64_t all() const { return dense + experts; }
};

std::int64_t count_on_device(const training_setup& t, const model& m, const weight& w) {
  using role = weight::role;
  std::int64_t rows = w.rows;
  switch (w.what) {
    case role::norm:
    case role::router:
    case role::position:
      return w.count();
    case role::expert:
    case role::expert_bias:
      return ceil_div(ceil_div(w.count(), t.expert), t.tensor);
    default:
      break;
  }
  if (w.name.find("attn.qkv") != std::string::npos && !m.mla && t.tensor > m.kv_heads)
    rows = ceil_div(m.heads, t.tensor) * m.head_dim * t.tensor + 2 * m.head_dim * t.tensor;  // copies of a KV head
  return ceil_div(rows * w.columns, t.tensor);
}

/// The layers of a stage. Layers that do not divide go to the stages in the middle, since the ends have the embedding
/// and the output.
std::pair<std::int64_t, std::int64_t> layers_of(const training_setup& t, const model& m, std::int64_t stage) {
  const std::int64_t p = t.pipeline, each = m.layers / p, more = m.layers % p, first_with_more = (p - more) / 2;
  const auto begin = [&](std::int64_t s) { return s * each + std::clamp<std::int64_t>(s - first_with_more, 0, more); };
  return {begin(stage), begin(stage + 1)};
}

parameters parameters_of(const training_setup& t, const model& m, std::int64_t stage) {
  const auto [first, end] = layers_of(t, m, stage);
  const bool is_first = stage == 0, is_last = stage + 1 == t.pipeline;
  parameters out;
  std::map<std::int64_t, std::int64_t> by_layer;
  for (const auto& w : weights_of(m)) {
    const bool is_expert = w.what == weight::role::expert || w.what == weight::role::expert_bias;
    const std::int64_t n = count_on_device(t, m, w);
    if (w.layer >= 0) {
      if (w.layer < first || w.layer >= end) continue;
      (is_expert ? out.experts : out.dense) += n;
      by_layer[w.layer] += n;
      continue;
    }
    const bool at_start =
        w.what == weight::role::embedding || w.what == weight::role::position || w.name == "embed_norm";
    // The output of a tied model lies with the embedding, or on the last stage as a copy.
    const bool copied = m.tied && w.what == weight::role::embedding && is_last && !is_first;
    if ((at_start && is_first) || (!at_start && is_last) || copied) out.ends += n;
  }
  out.dense += out.ends;
  for (const auto& [unused, n] : by_layer) out.largest_layer = std::max(out.largest_layer, n);
  return out;
}

std::int64_t state_bytes(const training_setup& t) {
  const std::int64_t one = t.states == "fp32" ? 4 : t.states == "bf16" ? 2 : 1;
  return t.optimizer == "adamw" ? 2 * one : t.optimizer == "momentum" ? one : 0;
}

std::int64_t gradient_bytes(const training_setup& t) {
  if (t.gradients == "fp32") return 4;
  return t.gradients == "bf16+fp32" ? 6 : 2;
}

/// Weights and what the optimizer keeps for them.
void add_states(const training_setup& t, const parameters& p, classes& out) {
  const std::int64_t ranks = t.replicas() * t.context, expert_ranks = std::max<std::int64_t>(1, ranks / t.expert);
  const int stage = t.sharding == "none" ? 0 : t.sharding.back() - '0';
  const auto add = [&](const char* name, std::int64_t bytes, bool sharded) {
    out[name] +=
        sharded ? ceil_div(p.dense * bytes, ranks) + ceil_div(p.experts * bytes, expert_ranks) : p.all() * bytes;
  };
  add("weights", half, stage >= 3);
  if (t.gradients == "in_backward")
    out["gradients"] += std::max(p.largest_layer, p.ends) * half;  // applied, and freed, layer by layer
  else
    add("gradients", gradient_bytes(t), stage >= 2);
  if (t.offload == "none") {
    if (t.main_weights == "fp32") add("main weights", single, stage >= 1);
    if (state_bytes(t) > 0) add("optimizer states", state_bytes(t), stage >= 1);
  }
  // Weights of two layers, of the one that computes and of the next, and of what belongs to no layer, gathered.
  if (stage >= 3) out["buffers"] += half * (2 * p.largest_layer + p.ends);
}

/// Gradients that come into being during the backward pass, without a buffer that is always there.
bool gradients_grow(const training_setup& t) {
  return t.gradients == "in_backward" || (t.gradients == "bf16" && t.accumulation() == 1);
}

// The output ----------------------------------------------------------------------------------------------------------

/// Inputs of the last norm and of the output's product; logits in 16 bits; what the loss makes of them in 32: a fused
/// loss works in one copy, a plain one keeps the copy, its logarithm of the softmax and the gradient, one in chunks
/// keeps the softmax and has the rest for an eighth at a time.
void add_output(const training_setup& t, const model& m, std::int64_t tokens, classes& out) {
  out["activations: output"] += ceil_div(2 * half * checked_product({m.hidden, tokens}), t.sequence ? t.tensor : 1);
  const std::int64_t logits = ceil_div(checked_product({m.vocab, tokens}), t.tensor);
  out["logits"] += half * logits;
  constexpr std::int64_t pieces = 8;
  out["loss"] += t.loss == "fused"   ? single * logits
                 : t.loss == "plain" ? 3 * single * logits
                                     : single * logits + ceil_div(2 * single * logits, pieces);
}

/// Micro-batches whose activations a stage keeps at once, in parts of a micro-batch.
std::pair<std::int64_t, std::int64_t> in_flight(const training_setup& t, std::int64_t stage) {
  const std::int64_t all = t.accumulation(), p = t.pipeline;
  if (t.schedule == "gpipe") return {all, 1};
  if (t.chunks == 1) return {std::min(all, p - stage), 1};
  // Interleaved: chunks that have run forward before the first runs backward.
  return {std::min(all * t.chunks, 2 * (p - stage - 1) + (t.chunks - 1) * p + 1), t.chunks};
}

void add_all(const classes& from, classes& to) {
  for (const auto& [name, bytes] : from) to[name] += bytes;
}

std::int64_t sum(const classes& c) {
  std::int64_t out = 0;
  for (const auto& [unused, bytes] : c) out += bytes;
  return out;
}

/// A layer's activations while it is computed again.
std::int64_t recomputed_layer(const training_setup& t, const model& m, std::int64_t layer, std::int64_t tokens) {
  if (t.recompute == "none") return 0;
  classes whole, kept;
  add_tokens(t, full_token(t, m, layer), tokens, whole);
  add_tokens(t, kept_token(t, m, layer), tokens, kept);
  return std::max<std::int64_t>(0, sum(whole) - sum(kept));
}

stage_memory memory_of(const training_setup& t, const model& m, std::int64_t stage) {
  const std::int64_t tokens = checked_product({t.micro_batch, t.length}) / t.context;
  const auto [first, end] = layers_of(t, m, stage);
  const auto [parts, of] = in_flight(t, stage);
  classes states, stored;
  add_states(t, parameters_of(t, m, stage), states);
  for (std::int64_t layer = first; layer < end; ++layer) add_tokens(t, kept_token(t, m, layer), tokens, stored);
  for (auto& [unused, bytes] : stored) bytes = ceil_div(bytes * parts, of);
  if (stage == 0) {
    // Token numbers of 8 bytes, and the mask of the embedding's dropout.
    const std::int64_t mask = t.has_dropout(m) ? ceil_div(m.hidden * tokens, t.sequence ? t.tensor : 1) : 0;
    stored["activations: embedding"] += ceil_div((8 * tokens + mask) * parts, of);
  }

  // When the loss is there; while the last layer is computed again; when all gradients are there.
  std::vector<std::pair<std::string, classes>> moments;
  classes loss = states;
  add_all(stored, loss);
  if (gradients_grow(t)) loss.erase("gradients");
  if (stage + 1 == t.pipeline) {
    add_output(t, m, tokens, loss);
    moments.emplace_back("at the loss", loss);
  }
  classes backward = states;
  add_all(stored, backward);
  if (gradients_grow(t)) backward.erase("gradients");
  if (const auto again = recomputed_layer(t, m, end - 1, tokens); again > 0)
    backward["activations: recomputed layer"] += again;
  moments.emplace_back("at the begin of the backward pass", backward);
  if (gradients_grow(t)) {
    classes last = states;
    if (const auto again = recomputed_layer(t, m, first, tokens); again > 0)
      last["activations: recomputed layer"] += again;
    moments.emplace_back("at the end of the backward pass", last);
  }
  const auto most = std::max_element(moments.begin(), moments.end(),
                                     [](const auto& a, const auto& b) { return sum(a.second) < sum(b.second); });
  stage_memory out;
  out.stage = stage;
  out.moment = most->first;
  for (const auto& [name, bytes] : most->second)
    if (bytes > 0) out.by_class.emplace_back(name, bytes);
  return out;
}

}  // namespace

bool training_setup::keeps_scores(const model& m) const {
  return attention == "auto" ? m.norm == model::norm_kind::layernorm : attention == "scores";
}

bool training_setup::has_dropout(const model& m) const {
  return dropout == "auto" ? m.norm == model::norm_kind::layernorm : dropout == "on";
}

const param_table<training_setup>& training_table() {
  static const auto table = [] {
    using t = training_setup;
    constexpr std::int64_t most = 1 << 20;
    return param_table<t>("train")
        .add("tensor", &t::tensor, "devices that share every layer (tensor parallelism)")
        .range(std::int64_t{1}, most)
        .add("sequence", &t::sequence, "what tensor parallelism leaves whole is cut along the sequence")
        .add("pipeline", &t::pipeline, "stages of layers")
        .range(std::int64_t{1}, most)
        .add("schedule", &t::schedule, "order of micro-batches in the stages")
        .choices({"1f1b", "gpipe"})
        .add("chunks", &t::chunks, "pieces of layers a stage has (interleaved 1f1b)")
        .range(std::int64_t{1}, most)
        .add("context", &t::context, "devices that share a sequence")
        .range(std::int64_t{1}, most)
        .add("expert", &t::expert, "devices that share the experts of a layer")
        .range(std::int64_t{1}, most)
        .add("data", &t::data, "replicas; 0: the devices that remain")
        .range(std::int64_t{0}, most)
        .add("main_weights", &t::main_weights, "a copy of the weights in 32 bits that the optimizer changes")
        .choices({"fp32", "none"})
        .add("gradients", &t::gradients,
             "fp32: a buffer; bf16: made in the backward pass; bf16+fp32: both; in_backward: applied and freed at once")
        .choices({"fp32", "bf16", "bf16+fp32", "in_backward"})
        .add("states", &t::states, "each of the optimizer's states")
        .choices({"fp32", "bf16", "int8"})
        .add("offload", &t::offload, "what lies in the host's memory")
        .choices({"none", "optimizer"})
        .add("attention", &t::attention,
             "flash: no scores in memory; scores: they are kept; auto: kept by models with layer norms")
        .choices({"auto", "flash", "scores"})
        .add("dropout", &t::dropout, "masks of dropout are kept; auto: by models with layer norms")
        .choices({"auto", "on", "off"})
        .add("kernels", &t::kernels, "fused, or eager: norms and activations keep what lies between their steps")
        .choices({"fused", "eager"})
        .add("loss", &t::loss, "fused: logits in 16 and once in 32 bits; chunked: an eighth at a time; plain")
        .choices({"plain", "chunked", "fused"})
        .add("selective", &t::selective,
             "what --recompute selective computes again: the scores of attention, or every second product")
        .choices({"attention", "products"});
  }();
  return table;
}

void check(const training_setup& t, const model& m) {
  problem_list problems;
  const auto fail = [&](const char* key, const std::string& message, const std::string& expected) {
    problems.add({key, "", message, expected, ""});
  };
  const std::int64_t group = t.tensor * t.pipeline * t.context;
  const std::string product = "tensor " + std::to_string(t.tensor) + " x pipeline " + std::to_string(t.pipeline) +
                              " x context " + std::to_string(t.context);
  if (t.data == 0 && t.devices % group != 0)
    fail("--device", std::to_string(t.devices) + " devices are not shared evenly by " + product,
         "a multiple of " + std::to_string(group));
  else if (t.data > 0 && t.devices != group * t.data)
    fail("--device", std::to_string(t.devices) + " devices are not " + product + " x data " + std::to_string(t.data),
         std::to_string(group * t.data) + " of them, or train.data=0: as many replicas as there are devices for");
  else if (t.batch % (t.micro_batch * t.replicas()) != 0)
    fail("--batch",
         std::to_string(t.batch) + " sequences are not whole micro-batches of " + std::to_string(t.micro_batch) +
             " on " + std::to_string(t.replicas()) + " replicas",
         "a multiple of " + std::to_string(t.micro_batch * t.replicas()));
  if (m.heads % t.tensor != 0)
    fail("train.tensor", std::to_string(m.heads) + " heads do not divide by " + std::to_string(t.tensor),
         "a divisor of the number of heads");
  if (t.pipeline > m.layers)
    fail("train.pipeline", "more stages than the " + std::to_string(m.layers) + " layers", "no more");
  if (t.chunks > ceil_div(m.layers, t.pipeline))
    fail("train.chunks",
         "got " + std::to_string(t.chunks) + " for " + std::to_string(m.layers) + " layers in " +
             std::to_string(t.pipeline) + " stages",
         "no more than a stage has layers");
  if (t.length % t.context != 0)
    fail("train.context", "a sequence of " + std::to_string(t.length) + " does not divide", "a divisor of --prompt");
  if (t.expert > 1 && (!m.moe || m.moe->experts % t.expert != 0))
    fail("train.expert", m.moe ? "experts do not divide" : "the model has no experts", "a divisor of the experts");
  problems.check();
}

std::int64_t stage_memory::peak() const {
  std::int64_t out = 0;
  for (const auto& [unused, bytes] : by_class) out += bytes;
  return out;
}

std::int64_t stage_memory::of(const std::string& prefix) const {
  std::int64_t out = 0;
  for (const auto& [name, bytes] : by_class)
    if (name.compare(0, prefix.size(), prefix) == 0) out += bytes;
  return out;
}

std::vector<stage_memory> training_memory(const training_setup& t, const model& m) {
  check(t, m);
  std::vector<stage_memory> out;
  for (std::int64_t stage = 0; stage < t.pipeline; ++stage) out.push_back(memory_of(t, m, stage));
  return out;
}

std::int64_t layer_activation_bytes(const training_setup& t, const model& m, std::int64_t layer) {
  classes out;
  add_tokens(t, kept_token(t, m, layer), checked_product({t.micro_batch, t.length}) / t.context, out);
  return sum(out);
}

std::int64_t block_weight_bytes(const model& m) {
  std::int64_t out = 0;
  for (const auto& w : weights_of(m))
    if (w.layer >= 0) out += half * w.count();
  return out;
}

}  // namespace memwall
