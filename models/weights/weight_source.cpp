// SPDX-License-Identifier: Apache-2.0
#include "models/weights/weight_source.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "hw/common/each_cpu.h"
#include "models/weights/safetensors.h"

namespace memwall {
namespace {

using role = weight::role;

/// A tensor of a checkpoint, and the rows of ours that it is.
struct part {
  std::string name;
  std::int64_t rows = 0;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Tensors of the LLaMA form (LLaMA, Mistral, Qwen2, Qwen3, Phi-3) by our names.
std::vector<part> parts_of(const model& m, const weight& w) {
  if (w.layer < 0) {
    if (w.name == "embed") return {{"model.embed_tokens.weight", w.rows}};
    if (w.name == "norm") return {{"model.norm.weight", 1}};
    return {{w.name + ".weight", w.rows}};  // lm_head
  }
  const std::string prefix = "model.layers." + std::to_string(w.layer) + ".";
  std::string name = w.name.substr(w.name.find('.', w.name.find('.') + 1) + 1);
  std::string kind = ".weight";
  if (ends_with(name, ".bias")) {
    kind = ".bias";
    name.resize(name.size() - kind.size());
  }
  const std::int64_t q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  const bool fused = m.family == "phi3";
  if (name == "attn.norm") return {{prefix + "input_layernorm.weight", 1}};
  if (name == "mlp.norm") return {{prefix + "post_attention_layernorm.weight", 1}};
  if (name == "attn.qk_norm") return {{prefix + "self_attn.q_norm.weight", 1}, {prefix + "self_attn.k_norm.weight", 1}};
  if (name == "attn.qkv" && !fused)
    return {{prefix + "self_attn.q_proj" + kind, q},
            {prefix + "self_attn.k_proj" + kind, kv},
            {prefix + "self_attn.v_proj" + kind, kv}};
  if (name == "mlp.gate_up" && !fused)
    return {{prefix + "mlp.gate_proj" + kind, m.ffn}, {prefix + "mlp.up_proj" + kind, m.ffn}};
  const std::map<std::string, std::string> plain{{"attn.qkv", "self_attn.qkv_proj"},
                                                 {"attn.o", "self_attn.o_proj"},
                                                 {"mlp.gate_up", "mlp.gate_up_proj"},
                                                 {"mlp.down", "mlp.down_proj"}};
  const auto found = plain.find(name);
  return found == plain.end() ? std::vector<part>{} : std::vector<part>{{prefix + found->second + kind, w.rows}};
}

class file_weights final : public weight_source {
 public:
  file_weights(const model& m, const std::string& path) : m_files(path) {
    problem_list problems;
    std::set<std::string> used;
    for (const weight& w : weights_of(m)) {
      const auto parts = parts_of(m, w);
      const std::int64_t columns = w.what == role::bias ? 1 : w.columns;
      for (part p : parts) {
        // A vector is one row to us; a bias is as long as its product has outputs.
        if (w.what == role::bias && parts.size() == 1) p.rows = w.columns;
        add(w, p, columns, used, problems);
      }
    }
    for (const auto& [name, t] : m_files.all())
      if (used.count(name) == 0 && !may_be_left(m, name))
        problems.add({t.file, name, "is no tensor of '" + m.name + "' (" + t.shape_text() + ")",
                      "the tensors of its config.json", nearest_name(name, m_names)});
    problems.check();
  }

  void block(const weight& w, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t columns,
             float* out) const override {
    if (w.what == role::bias) {
      // As if it stood in a column, so that parts follow each other by rows.
      first = column;
      count = columns;
      column = 0;
      columns = 1;
    }
    const std::int64_t width = w.what == role::bias ? 1 : w.columns;
    for (const piece& p : m_pieces.at(w.name)) {
      const std::int64_t n = std::min(count, p.rows - first);
      if (n > 0) {
        read(p, first, n, column, columns, width, out);
        out += n * columns;
        count -= n;
        first = 0;
      } else {
        first -= p.rows;
      }
    }
  }

 private:
  struct piece {
    const stored_tensor* tensor;
    const stored_tensor* scale;  // of 8-bit tensors: one number, or one a row
    std::int64_t rows;
  };

  // Tied models may store lm_head all the same; older files carry the rotations' frequencies.
  static bool may_be_left(const model& m, const std::string& name) {
    return ends_with(name, "rotary_emb.inv_freq") || ends_with(name, "attention.bias") ||
           (m.tied && name == "lm_head.weight");
  }

  const stored_tensor* look_up(const std::string& name, std::set<std::string>& used) {
    for (const std::string& n : {name, name.compare(0, 6, "model.") == 0 ? name.substr(6) : name})
      if (const auto* t = m_files.find(n)) {
        used.insert(n);
        return t;
      }
    return nullptr;
  }

  void add(const weight& w, const part& p, std::int64_t columns, std::set<std::string>& used, problem_list& problems) {
    m_names.push_back(p.name);
    const bool is_vector = p.rows == 1 || columns == 1;
    const std::vector<std::int64_t> shape =
        is_vector ? std::vector<std::int64_t>{p.rows * columns} : std::vector<std::int64_t>{p.rows, columns};
    const stored_tensor* t = look_up(p.name, used);
    stored_tensor wanted;
    wanted.shape = shape;
    if (t == nullptr) {
      problems.add({m_files.path(), p.name, "is missing", "a tensor of " + wanted.shape_text() + " values", ""});
      return;
    }
    if (t->shape != shape) problems.add({t->file, p.name, "has the shape " + t->shape_text(), wanted.shape_text(), ""});
    if (t->type == stored_type::other)
      problems.add(
          {t->file, p.name, "has type " + t->type_name, "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I8 or U8", ""});
    const stored_tensor* scale = look_up(p.name + "_scale", used);
    if (scale != nullptr && scale->count != 1 && scale->count != p.rows)
      problems.add({scale->file, scale->name, "has the shape " + scale->shape_text(),
                    "one number, or " + std::to_string(p.rows) + ", one a row", ""});
    if (scale == nullptr && (t->type == stored_type::i8 || t->type == stored_type::u8))
      problems.add({t->file, p.name, "is of 8-bit integers without '" + p.name + "_scale'", "their scale", ""});
    m_pieces[w.name].push_back({t, scale, p.rows});
  }

  static void read(const piece& p, std::int64_t first, std::int64_t n, std::int64_t column, std::int64_t columns,
                   std::int64_t width, float* out) {
    if (columns == width)
      p.tensor->read(first * width, n * width, out);
    else
      for (std::int64_t r = 0; r < n; ++r) p.tensor->read((first + r) * width + column, columns, out + r * columns);
    if (p.scale != nullptr) apply(*p.scale, first, n, columns, out);
  }

  static void apply(const stored_tensor& scale, std::int64_t first, std::int64_t n, std::int64_t columns, float* out) {
    std::vector<float> s(static_cast<std::size_t>(n));
    if (scale.count == 1) {
      scale.read(0, 1, s.data());
      std::fill(s.begin(), s.end(), s.front());
    } else {
      scale.read(first, n, s.data());
    }
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = 0; c < columns; ++c) out[r * columns + c] *= s[static_cast<std::size_t>(r)];
  }

  tensor_files m_files;
  std::map<std::string, std::vector<piece>> m_pieces;
  std::vector<std::string> m_names;
};

// splitmix64; its top 24 bits as a number in [-reach, reach).
MEMWALL_EACH_CPU void draw(std::uint64_t seed, std::int64_t first, std::int64_t count, float reach, float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint64_t z = seed + static_cast<std::uint64_t>(first + i) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    out[i] = (static_cast<float>(static_cast<std::int32_t>((z ^ (z >> 31)) >> 40)) * 0x1p-23F - 1.0F) * reach;
  }
}

class drawn_weights final : public weight_source {
 public:
  drawn_weights(const model& m, std::uint64_t seed) {
    for (const weight& w : weights_of(m)) m_seeds[w.name] = seed += 0x9e3779b97f4a7c15U;
  }
  void block(const weight& w, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t columns,
             float* out) const override {
    if (w.what == role::norm || w.what == role::bias || w.what == role::expert_bias) {
      for (std::int64_t r = first; r < first + count; ++r, out += columns)
        std::fill_n(out, columns, w.what == role::norm && r == 0 ? 1.0F : 0.0F);
      return;
    }
    const float reach = std::sqrt(3.0F / static_cast<float>(w.columns));
    const std::uint64_t seed = m_seeds.at(w.name);
    for (std::int64_t r = first; r < first + count; ++r, out += columns)
      draw(seed, r * w.columns + column, columns, reach, out);
  }

 private:
  std::map<std::string, std::uint64_t> m_seeds;
};

}  // namespace

std::unique_ptr<weight_source> open_weights(const model& m, const std::string& path) {
  return std::make_unique<file_weights>(m, path);
}

std::unique_ptr<weight_source> draw_weights(const model& m, std::uint64_t seed) {
  return std::make_unique<drawn_weights>(m, seed);
}

}  // namespace memwall
