// SPDX-License-Identifier: Apache-2.0
// The shape of a large language model, read from a config.json in Hugging Face form.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hw/common/error.h"
#include "models/dtype.h"

namespace memwall {

/// Mixture of experts: a router sends each token to `active` of `experts` MLPs.
struct moe_shape {
  std::int64_t experts = 0;  ///< routed experts a layer
  std::int64_t active = 0;   ///< routed experts a token uses
  std::int64_t shared = 0;   ///< experts every token uses; they are one MLP of shared x ffn
  std::int64_t ffn = 0;      ///< inner width of one expert
  std::vector<bool> dense;   ///< by layer: an ordinary MLP of model::ffn instead; empty: none
  bool router_bias = false;  ///< a correction bias an expert (DeepSeek-V3)
  bool expert_bias = false;  ///< biases on the experts' products (gpt-oss)
};

/// Multi-head latent attention: what is cached a position is one latent of kv_rank + rope values, for all
/// heads.
struct mla_shape {
  std::int64_t q_rank = 0;   ///< width of the compressed query; 0: queries are not compressed
  std::int64_t kv_rank = 0;  ///< width of the compressed keys and values
  std::int64_t nope = 0;     ///< values of a head's query/key without position
  std::int64_t rope = 0;     ///< values of a head's query/key with position; the key's are shared by all heads
  std::int64_t value = 0;    ///< values of a head's value
};

/// A decoder-only transformer. Counts are in elements.
struct model {
  enum class norm_kind { layernorm, rmsnorm };
  enum class position_kind { none, learned, rope, alibi };

  std::string name;    ///< as the user named it ("llama-65b"), or the folder's name
  std::string family;  ///< the plug-in that read it ("llama")
  std::string file;    ///< the config.json it came from

  std::int64_t hidden = 0, layers = 0, heads = 0, kv_heads = 0;
  std::int64_t head_dim = 0;  ///< of queries and keys
  std::int64_t ffn = 0;       ///< inner width of the (dense) MLP
  std::int64_t vocab = 0;
  std::int64_t max_positions = 0;

  bool gated = true;  ///< MLP is down(act(gate(x)) * up(x)), else down(act(up(x)))
  std::string activation = "silu";
  norm_kind norm = norm_kind::rmsnorm;
  position_kind positions = position_kind::rope;
  std::int64_t position_offset = 0;  ///< extra rows of the learned position table (OPT: 2)
  double rope_fraction = 1;          ///< share of a head's values that are rotated
  bool qkv_bias = false, out_bias = false, mlp_bias = false;
  bool qk_norm = false;          ///< a norm over head_dim on queries and keys
  bool sinks = false;            ///< a learned score a head that takes part in the softmax (gpt-oss)
  bool post_norms = false;       ///< norms after attention and MLP too (Gemma 2)
  bool embed_norm = false;       ///< a norm after the embedding (BLOOM)
  bool embed_scale = false;      ///< the embedding is multiplied by sqrt(hidden) (Gemma)
  bool parallel_blocks = false;  ///< attention and MLP both read the layer's input (GPT-J, NeoX, Falcon)
  bool shared_norm = false;      ///< with parallel_blocks: one norm serves both
  bool lm_head_bias = false;
  bool tied = false;                  ///< lm_head uses the embedding table
  std::vector<std::int64_t> windows;  ///< by layer: positions a query can see, its own included; empty: all see all

  std::optional<moe_shape> moe;
  std::optional<mla_shape> mla;

  std::optional<dtypes> stored;    ///< the types that a quantised checkpoint is stored in
  std::vector<std::string> notes;  ///< what the file says beyond the shape, or left to a default: for the user to read

  /// Positions a query of this layer can see; 0: all.
  std::int64_t window_of(std::int64_t layer) const {
    return windows.empty() ? 0 : windows[static_cast<std::size_t>(layer)];
  }
  bool is_moe(std::int64_t layer) const {
    return moe && (moe->dense.empty() || !moe->dense[static_cast<std::size_t>(layer)]);
  }
  /// Layers whose MLP is a mixture of experts.
  std::int64_t moe_layers() const;
  /// Values the KV cache holds a position and layer: 2 x kv_heads x head_dim, or the MLA latent.
  std::int64_t kv_values() const { return mla ? mla->kv_rank + mla->rope : 2 * kv_heads * head_dim; }
};

/// One weight tensor as a runtime holds it: queries, keys and values fused, gate and up fused, experts
/// stacked.
struct weight {
  enum class role { embedding, position, linear, router, expert, expert_bias, norm, bias };
  std::string name;  ///< "layers.3.attn.qkv", "embed", "lm_head.weight" is "lm_head"
  role what = role::linear;
  std::int64_t layer = -1;   ///< -1: outside the layers
  std::int64_t rows = 0;     ///< outputs (a vector is one row); for experts, of all of them together
  std::int64_t columns = 0;  ///< inputs: groups of a grouped type run along these
  std::string parts;         ///< what a fused tensor is made of: "q 4096 + k 1024 + v 1024"

  std::int64_t count() const { return rows * columns; }
  /// Held in the weights' type; norms, biases and routers are held in dtypes::vectors().
  bool is_matrix() const {
    return what != role::norm && what != role::bias && what != role::router && what != role::expert_bias;
  }
};

/// Every weight tensor, in the order a forward pass meets them. A tied lm_head has no tensor of its own.
std::vector<weight> weights_of(const model& m);
std::int64_t parameter_count(const model& m);
/// Parameters one token meets: all but the experts it is not routed to. (The embedding counts in full, as
/// published.)
std::int64_t active_parameter_count(const model& m);

/// Bytes of all weights, held in these types.
std::int64_t weight_bytes(const model& m, const dtypes& types);
/// The type one weight tensor is held in.
dtype type_of(const weight& w, const dtypes& types);
/// Bytes of one weight tensor.
std::int64_t weight_bytes(const weight& w, const dtypes& types);
/// Bytes of the KV cache of `batch` sequences of `context` positions. Layers with a sliding window hold no
/// more than it.
std::int64_t kv_bytes(const model& m, const dtype& type, std::int64_t batch, std::int64_t context);

/// Whether a sequence of so many positions suits the model. Throws input_error where its table of positions is shorter
/// (nothing could run); says so in the returned line where it was only trained on fewer. "" when all is well.
std::string check_positions(const model& m, std::int64_t positions);

/// The model a user names: a model that ships with memwall ("llama-65b"), a folder with a config.json, or a
/// config.json. Throws input_error: unknown name (with the nearest), missing, contradictory or absurd fields
/// (with file and line).
model load_model(const std::string& name_or_path);
/// As load_model, from text; `where` stands for the file in messages.
model parse_model(const std::string& text, const std::string& where, const std::string& name);
/// Names of the models that ship with memwall, sorted.
std::vector<std::string> model_names();

}  // namespace memwall
