// SPDX-License-Identifier: Apache-2.0
#include "models/weights/tensor_names.h"

#include <algorithm>

namespace memwall {
namespace {

/// How a tensor lies.
enum class lie : std::uint8_t {
  plain,    // outputs x inputs; several tensors follow each other
  turned,   // inputs x outputs (GPT-2's layers are convolutions of width 1)
  heads,    // queries, keys and values of a head together, or of a group of heads with its keys and values (Falcon)
  stacked,  // experts x inputs x outputs; gates and the others take turns (gpt-oss)
};

struct rule {
  const char *ours, *theirs;  // several names with spaces between
  lie how = lie::plain;
};

struct naming {
  const char* family;
  const char *base, *layer;  // before all names, and before those of layer #
  std::vector<rule> rules;
  const char* head = "lm_head";  // not under `base`
};

const std::vector<rule> llama_rules{{"attn.norm", "input_layernorm"},
                                    {"attn.qkv", "self_attn.q_proj self_attn.k_proj self_attn.v_proj"},
                                    {"attn.qk_norm", "self_attn.q_norm self_attn.k_norm"},
                                    {"attn.o", "self_attn.o_proj"},
                                    {"mlp.norm", "post_attention_layernorm"},
                                    {"mlp.gate_up", "mlp.gate_proj mlp.up_proj"},
                                    {"mlp.down", "mlp.down_proj"},
                                    {"embed", "embed_tokens"},
                                    {"norm", "norm"}};

std::vector<rule> with(std::vector<rule> rules, const std::vector<rule>& others) {
  rules.insert(rules.begin(), others.begin(), others.end());  // the first of a name counts
  return rules;
}

const std::vector<rule> gemma_rules{{"attn.post_norm", "post_attention_layernorm"},
                                    {"mlp.norm", "pre_feedforward_layernorm"},
                                    {"mlp.post_norm", "post_feedforward_layernorm"}};

const std::vector<naming>& namings() {
  static const std::vector<naming> all{
      {"llama", "model.", "layers.#.", llama_rules},
      {"mistral", "model.", "layers.#.", llama_rules},
      {"qwen2", "model.", "layers.#.", llama_rules},
      {"qwen3", "model.", "layers.#.", llama_rules},
      {"phi3", "model.", "layers.#.",
       with(llama_rules, {{"attn.qkv", "self_attn.qkv_proj"}, {"mlp.gate_up", "mlp.gate_up_proj"}})},
      {"mixtral", "model.", "layers.#.",
       with(llama_rules, {{"moe.router", "block_sparse_moe.gate"},
                          {"moe.gate_up", "block_sparse_moe.experts.@.w1 block_sparse_moe.experts.@.w3"},
                          {"moe.down", "block_sparse_moe.experts.@.w2"}})},
      {"qwen3_moe", "model.", "layers.#.",
       with(llama_rules, {{"moe.router", "mlp.gate"},
                          {"moe.gate_up", "mlp.experts.@.gate_proj mlp.experts.@.up_proj"},
                          {"moe.down", "mlp.experts.@.down_proj"}})},
      {"gpt_oss", "model.", "layers.#.",
       with(llama_rules, {{"attn.sinks", "self_attn.sinks"},
                          {"moe.router", "mlp.router"},
                          {"moe.gate_up", "mlp.experts.gate_up_proj", lie::stacked},
                          {"moe.down", "mlp.experts.down_proj", lie::stacked}})},
      {"deepseek", "model.", "layers.#.",
       with(llama_rules, {{"attn.q_b", "self_attn.q_b_proj"},
                          {"moe.router", "mlp.gate"},
                          {"moe.gate_up", "mlp.experts.@.gate_proj mlp.experts.@.up_proj"},
                          {"moe.down", "mlp.experts.@.down_proj"},
                          {"moe.shared.gate_up", "mlp.shared_experts.gate_proj mlp.shared_experts.up_proj"},
                          {"moe.shared.down", "mlp.shared_experts.down_proj"}})},
      {"gemma2", "model.", "layers.#.", with(llama_rules, gemma_rules)},
      {"gemma3", "model.", "layers.#.", with(llama_rules, gemma_rules)},
      {"gpt2",
       "transformer.",
       "h.#.",
       {{"attn.norm", "ln_1"},
        {"attn.qkv", "attn.c_attn", lie::turned},
        {"attn.o", "attn.c_proj", lie::turned},
        {"mlp.norm", "ln_2"},
        {"mlp.up", "mlp.c_fc", lie::turned},
        {"mlp.down", "mlp.c_proj", lie::turned},
        {"embed", "wte"},
        {"positions", "wpe"},
        {"norm", "ln_f"}}},
      {"opt",
       "model.decoder.",
       "layers.#.",
       {{"attn.norm", "self_attn_layer_norm"},
        {"attn.qkv", "self_attn.q_proj self_attn.k_proj self_attn.v_proj"},
        {"attn.o", "self_attn.out_proj"},
        {"mlp.norm", "final_layer_norm"},
        {"mlp.up", "fc1"},
        {"mlp.down", "fc2"},
        {"embed", "embed_tokens"},
        {"positions", "embed_positions"},
        {"norm", "final_layer_norm"}}},
      {"bloom",
       "transformer.",
       "h.#.",
       {{"attn.norm", "input_layernorm"},
        {"attn.qkv", "self_attention.query_key_value", lie::heads},
        {"attn.o", "self_attention.dense"},
        {"mlp.norm", "post_attention_layernorm"},
        {"mlp.up", "mlp.dense_h_to_4h"},
        {"mlp.down", "mlp.dense_4h_to_h"},
        {"embed", "word_embeddings"},
        {"embed_norm", "word_embeddings_layernorm"},
        {"norm", "ln_f"}}},
      {"falcon",
       "transformer.",
       "h.#.",
       {{"attn.qkv", "self_attention.query_key_value", lie::heads},
        {"attn.o", "self_attention.dense"},
        {"mlp.up", "mlp.dense_h_to_4h"},
        {"mlp.down", "mlp.dense_4h_to_h"},
        {"embed", "word_embeddings"},
        {"norm", "ln_f"}}},
      {"gptj",
       "transformer.",
       "h.#.",
       {{"attn.norm", "ln_1"},
        {"attn.qkv", "attn.q_proj attn.k_proj attn.v_proj"},
        {"attn.o", "attn.out_proj"},
        {"mlp.up", "mlp.fc_in"},
        {"mlp.down", "mlp.fc_out"},
        {"embed", "wte"},
        {"norm", "ln_f"}}},
      {"gpt_neox",
       "gpt_neox.",
       "layers.#.",
       {{"attn.norm", "input_layernorm"},
        {"attn.qkv", "attention.query_key_value", lie::heads},
        {"attn.o", "attention.dense"},
        {"mlp.norm", "post_attention_layernorm"},
        {"mlp.up", "mlp.dense_h_to_4h"},
        {"mlp.down", "mlp.dense_4h_to_h"},
        {"embed", "embed_in"},
        {"norm", "final_layer_norm"}},
       "embed_out"},
  };
  return all;
}

const naming* naming_of(const std::string& family) {
  const auto found =
      std::find_if(namings().begin(), namings().end(), [&](const naming& n) { return family == n.family; });
  return found == namings().end() ? nullptr : &*found;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string replaced(std::string text, char mark, std::int64_t by) {
  const auto at = text.find(mark);
  return at == std::string::npos ? text : text.replace(at, 1, std::to_string(by));
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> out(1);
  for (const char c : text)
    if (c == ' ')
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

// Falcon's norms have names by their number.
std::string falcon_norm(const model& m, const std::string& ours) {
  if (m.parallel_blocks && !m.shared_norm) return ours == "attn.norm" ? "ln_attn" : "ln_mlp";
  return ours == "attn.norm" ? "input_layernorm" : "post_attention_layernorm";
}

/// Collects the parts of one weight.
class collector {
 public:
  collector(const model& m, const weight& w, std::string kind) : m_model(m), m_weight(w), m_kind(std::move(kind)) {}
  std::vector<tensor_part> out;

  bool is_vector() const { return m_kind == ".bias" || m_weight.what == weight::role::norm; }
  std::int64_t columns() const { return is_vector() ? 1 : m_weight.columns; }

  void plain(const std::vector<std::string>& names, const std::vector<std::int64_t>& rows) {
    for (std::size_t i = 0; i < names.size(); ++i)
      out.push_back({names[i] + m_kind, shape(rows[i], columns()), rows[i], 0, columns(), 1});
  }
  void turned(const std::string& name, std::int64_t rows) {
    if (is_vector()) return plain({name}, {rows});
    out.push_back({name + m_kind, {columns(), rows}, rows, 0, 1, rows});
  }
  /// All queries, then all keys, then all values, out of groups [queries, key, value].
  void heads(const std::string& name) {
    const std::int64_t groups = m_model.kv_heads, queries = m_model.heads / groups, d = m_model.head_dim;
    const std::int64_t all = groups * (queries + 2) * d;
    const auto add = [&](std::int64_t first_head, std::int64_t heads) {
      for (std::int64_t g = 0; g < groups; ++g)
        out.push_back({name + m_kind, shape(all, columns()), heads * d,
                       (g * (queries + 2) + first_head) * d * columns(), columns(), 1});
    };
    add(0, queries);
    add(queries, 1);
    add(queries + 1, 1);
  }
  /// One tensor of all experts; gates at even places, the others between them.
  void stacked(const std::string& name, std::int64_t experts, std::int64_t rows, bool gates) {
    const bool bias = m_kind == ".bias";
    const std::string full = name + (bias ? "_bias" : "");
    const std::int64_t in = bias ? 1 : m_weight.columns;
    const std::vector<std::int64_t> all =
        bias ? std::vector<std::int64_t>{experts, rows} : std::vector<std::int64_t>{experts, m_weight.columns, rows};
    for (std::int64_t e = 0; e < experts; ++e) {
      if (!gates) {
        out.push_back({full, all, rows, e * in * rows, 1, rows});
        continue;
      }
      for (std::int64_t half = 0; half < 2; ++half) out.push_back({full, all, rows / 2, e * in * rows + half, 2, rows});
    }
  }

 private:
  std::vector<std::int64_t> shape(std::int64_t rows, std::int64_t columns) const {
    return is_vector() ? std::vector<std::int64_t>{rows} : std::vector<std::int64_t>{rows, columns};
  }
  const model& m_model;
  const weight& m_weight;
  std::string m_kind;
};

std::vector<std::int64_t> rows_of(const model& m, std::size_t parts, std::int64_t rows) {
  if (parts == 3) return {m.heads * m.head_dim, m.kv_heads * m.head_dim, m.kv_heads * m.head_dim};
  if (parts == 2) return {rows / 2, rows / 2};
  return {rows};
}

/// What DeepSeek's attention is made of: the first products side by side; norms of the two latents; the expansion, all
/// heads' keys and then all values, where the file has both of a head together. Empty: as others.
std::vector<tensor_part> latent_parts(const model& m, const std::string& name, const std::string& self) {
  const auto& a = *m.mla;
  const std::int64_t query = m.heads * (a.nope + a.rope), first = a.q_rank > 0 ? a.q_rank : query;
  const auto plain = [](const std::string& tensor, std::vector<std::int64_t> shape) {
    const std::int64_t columns = shape.size() > 1 ? shape[1] : 1;
    return tensor_part{tensor, shape, shape[0], 0, columns, 1};
  };
  if (name == "attn.qkv_a")
    return {plain(self + (a.q_rank > 0 ? "q_a_proj.weight" : "q_proj.weight"), {first, m.hidden}),
            plain(self + "kv_a_proj_with_mqa.weight", {a.kv_rank + a.rope, m.hidden})};
  if (name == "attn.qkv_a_norm") {
    std::vector<tensor_part> out;
    if (a.q_rank > 0) out.push_back(plain(self + "q_a_layernorm.weight", {a.q_rank}));
    out.push_back(plain(self + "kv_a_layernorm.weight", {a.kv_rank}));
    return out;
  }
  if (name != "attn.kv_b") return {};
  std::vector<tensor_part> out;
  const std::int64_t head = a.nope + a.value;
  const auto add = [&](std::int64_t from, std::int64_t rows) {
    for (std::int64_t h = 0; h < m.heads; ++h)
      out.push_back(
          {self + "kv_b_proj.weight", {m.heads * head, a.kv_rank}, rows, (h * head + from) * a.kv_rank, a.kv_rank, 1});
  };
  add(0, a.nope);
  add(a.nope, a.value);
  return out;
}

}  // namespace

bool has_tensor_names(const std::string& family) {
  return naming_of(family) != nullptr;
}

std::vector<tensor_part> parts_of(const model& m, const weight& w) {
  const naming* by = naming_of(m.family);
  if (by == nullptr) return {};
  std::string name = w.layer < 0 ? w.name : w.name.substr(w.name.find('.', w.name.find('.') + 1) + 1);
  std::string kind = ".weight";
  if (ends_with(name, ".bias")) {
    kind = ".bias";
    name.resize(name.size() - kind.size());
  }
  const std::string before = by->base + (w.layer < 0 ? "" : replaced(by->layer, '#', w.layer));
  if (name == "lm_head") {
    collector c(m, w, kind);
    c.plain({by->head}, {kind == ".bias" ? w.columns : w.rows});
    return c.out;
  }
  if (m.mla) {
    if (name == "moe.router" && kind == ".bias")
      return {{before + "mlp.gate.e_score_correction_bias", {w.columns}, w.columns, 0, 1, 1}};
    if (auto parts = latent_parts(m, name, before + "self_attn."); !parts.empty()) return parts;
  }
  const auto found = std::find_if(by->rules.begin(), by->rules.end(), [&](const rule& r) { return name == r.ours; });
  std::string theirs;
  lie how = lie::plain;
  if (found != by->rules.end()) {
    theirs = found->theirs;
    how = found->how;
  } else if (m.family == "falcon") {
    theirs = falcon_norm(m, name);
  } else {
    return {};
  }
  std::vector<std::string> names = words_of(theirs);
  for (auto& n : names) n = before + n;

  using role = weight::role;
  if (name == "attn.sinks") return {{names.front(), {w.columns}, w.columns, 0, 1, 1}};
  if (w.what == role::norm) {
    // Gain, then bias; or the gains of queries and keys.
    collector gains(m, w, ".weight");
    gains.plain(names, std::vector<std::int64_t>(names.size(), w.columns));
    if (m.norm == model::norm_kind::layernorm && name != "attn.qk_norm") {
      collector biases(m, w, ".bias");
      biases.plain(names, {w.columns});
      gains.out.insert(gains.out.end(), biases.out.begin(), biases.out.end());
    }
    return gains.out;
  }
  collector c(m, w, kind);
  const bool experts = w.what == role::expert || w.what == role::expert_bias;
  // Of one expert where there are several.
  const std::int64_t count = experts ? m.moe->experts : 1;
  const std::int64_t rows = w.what == role::bias || w.what == role::expert_bias ? w.columns : w.rows / count;
  if (how == lie::stacked) {
    c.stacked(names.front(), count, rows, name == "moe.gate_up");
  } else if (how == lie::heads) {
    c.heads(names.front());
  } else if (how == lie::turned) {
    c.turned(names.front(), rows);
  } else {
    for (std::int64_t e = 0; e < count; ++e) {
      std::vector<std::string> own;
      for (const auto& n : names) own.push_back(replaced(n, '@', e));
      c.plain(own, rows_of(m, names.size(), rows));
    }
  }
  return c.out;
}

bool may_be_left(const model& m, const std::string& tensor) {
  // Frequencies of rotations, masks of attention.
  for (const char* end :
       {"rotary_emb.inv_freq", "attention.bias", "attention.masked_bias", ".attn.bias", ".attn.masked_bias"})
    if (ends_with(tensor, end)) return true;
  // Layers behind the last that predict further tokens.
  const std::string behind = "model.layers." + std::to_string(m.layers) + ".";
  if (m.family == "deepseek" && tensor.compare(0, behind.size(), behind) == 0) return true;
  return m.tied && tensor == "lm_head.weight";
}

}  // namespace memwall
