// SPDX-License-Identifier: Apache-2.0
#include "models/weights/weight_source.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "hw/common/each_cpu.h"
#include "models/weights/safetensors.h"
#include "models/weights/tensor_names.h"

namespace memwall {
namespace {

using role = weight::role;

class file_weights final : public weight_source {
 public:
  file_weights(const model& m, const std::string& path) : m_files(path) {
    problem_list problems;
    std::set<std::string> used;
    for (const weight& w : weights_of(m))
      for (const tensor_part& p : parts_of(m, w)) add(w, p, used, problems);
    for (const auto& [name, t] : m_files.all())
      if (used.count(name) == 0 && !may_be_left(m, name))
        problems.add({t.file, name, "is no tensor of '" + m.name + "' (" + t.shape_text() + ")",
                      "the tensors of its config.json", nearest_name(name, m_names)});
    problems.check();
  }

  void block(const weight& w, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t columns,
             float* out) const override {
    const bool is_column = w.what == role::bias || w.what == role::norm || w.what == role::expert_bias;
    if (is_column) {
      // As if they stood in a column, so that parts follow each other by rows; whole rows of ours, or a part of one.
      first = first * w.columns + column;
      count *= columns;
      column = 0;
      columns = 1;
    }
    for (const piece& p : m_pieces.at(w.name)) {
      const std::int64_t n = std::min(count, p.where.rows - first);
      if (n > 0) {
        read(p, first, n, column, columns, out);
        out += n * columns;
        count -= n;
        first = 0;
      } else {
        first -= p.where.rows;
      }
    }
  }

  void rest(const weight& w) const override {
    const stored_tensor* last = nullptr;
    for (const piece& p : m_pieces.at(w.name)) {
      if (p.tensor != last) p.tensor->rest();
      last = p.tensor;
    }
  }

 private:
  struct piece {
    const stored_tensor* tensor;
    const stored_tensor* scale;  // of 8-bit tensors: one number, or one a row
    tensor_part where;
    const stored_tensor* block_scale = nullptr;  // of 8-bit tensors: one a square of 128 x 128
    const stored_tensor* mx_scale = nullptr;     // of MXFP4 blocks: an exponent for every 32 values along the inputs
  };
  static constexpr std::int64_t square = 128, mx_block = 32;

  // Some files leave out what stands before all names ("model.", "transformer."), or the first of two such words.
  const stored_tensor* look_up(const std::string& name, std::set<std::string>& used) {
    std::string shorter = name;
    for (int i = 0; i < 3; ++i) {
      if (const auto* t = m_files.find(shorter)) {
        used.insert(shorter);
        return t;
      }
      const auto dot = shorter.find('.');
      if (dot == std::string::npos) break;
      shorter.erase(0, dot + 1);
    }
    return nullptr;
  }

  void add(const weight& w, const tensor_part& p, std::set<std::string>& used, problem_list& problems) {
    if (!m_names.empty() && m_names.back() == p.name && !m_pieces[w.name].empty()) {
      piece again = m_pieces[w.name].back();  // another part of the same tensor
      again.where = p;
      m_pieces[w.name].push_back(std::move(again));
      return;
    }
    m_names.push_back(p.name);
    const stored_tensor* t = look_up(p.name, used);
    stored_tensor wanted;
    wanted.shape = p.shape;
    if (t == nullptr && add_mx(w, p, used, problems)) return;
    if (t == nullptr) {
      std::string packed = p.name;
      if (const auto end = packed.rfind(".weight"); end != std::string::npos) packed.replace(end, 7, ".qweight");
      if (look_up(packed, used) != nullptr) {
        problems.add({m_files.path(), packed, "is packed (GPTQ, AWQ), which is not read",
                      "'" + p.name + "' of " + wanted.shape_text() + " values", ""});
        return;
      }
      problems.add({m_files.path(), p.name, "is missing", "a tensor of " + wanted.shape_text() + " values", ""});
      return;
    }
    if (t->shape != p.shape)
      problems.add({t->file, p.name, "has the shape " + t->shape_text(), wanted.shape_text(), ""});
    if (t->type == stored_type::other)
      problems.add(
          {t->file, p.name, "has type " + t->type_name, "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I8 or U8", ""});
    const stored_tensor* scale = look_up(p.name + "_scale", used);
    const stored_tensor* squares = look_up(p.name + "_scale_inv", used);
    const std::int64_t rows = p.shape.front();
    if (squares != nullptr) {
      const auto over = [](std::int64_t n) { return (n + square - 1) / square; };
      wanted.shape = {over(rows), over(p.shape.back())};
      if (squares->shape != wanted.shape || p.shape.size() != 2 || p.column_step != 1)
        problems.add({squares->file, squares->name, "has the shape " + squares->shape_text(),
                      wanted.shape_text() + ", one a square of 128 x 128", ""});
    }
    if (scale != nullptr && scale->count != 1 && (scale->count != rows || p.column_step != 1))
      problems.add({scale->file, scale->name, "has the shape " + scale->shape_text(),
                    "one number, or " + std::to_string(rows) + ", one a row", ""});
    if (scale == nullptr && squares == nullptr && (t->type == stored_type::i8 || t->type == stored_type::u8))
      problems.add({t->file, p.name, "is of 8-bit integers without '" + p.name + "_scale'", "their scale", ""});
    m_pieces[w.name].push_back({t, scale, p, squares});
  }

  /// gpt-oss's experts in MXFP4: NAME_blocks, experts x outputs x blocks of 32 inputs x 16 bytes, and NAME_scales.
  bool add_mx(const weight& w, const tensor_part& p, std::set<std::string>& used, problem_list& problems) {
    const stored_tensor *blocks = look_up(p.name + "_blocks", used), *scales = look_up(p.name + "_scales", used);
    if (blocks == nullptr || scales == nullptr || p.shape.size() != 3) return false;
    const std::int64_t inputs = p.shape[1];
    stored_tensor wanted;
    wanted.shape = {p.shape[0], p.shape[2], inputs / mx_block, mx_block / 2};
    if (inputs % mx_block != 0 || blocks->shape != wanted.shape || blocks->type != stored_type::u8)
      problems.add({blocks->file, blocks->name, "has type " + blocks->type_name + ", shape " + blocks->shape_text(),
                    "U8, " + wanted.shape_text(), ""});
    wanted.shape.pop_back();
    if (scales->shape != wanted.shape || scales->type != stored_type::u8)
      problems.add({scales->file, scales->name, "has type " + scales->type_name + ", shape " + scales->shape_text(),
                    "U8, " + wanted.shape_text(), ""});
    piece out{blocks, nullptr, p};
    out.mx_scale = scales;
    m_pieces[w.name].push_back(std::move(out));
    return true;
  }

  /// Values E2M1 (OCP Microscaling Formats 1.0), the first of two in the low half of a byte, times 2^(scale - 127).
  static void read_mx(const piece& p, std::int64_t first, std::int64_t n, std::int64_t column, std::int64_t columns,
                      float* out) {
    constexpr float values[16] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};
    const std::int64_t outputs = p.where.shape[2], inputs = p.where.shape[1], all = inputs * outputs;
    const std::int64_t row = p.where.first / all * outputs + p.where.first % all;
    for (std::int64_t r = 0; r < n; ++r)
      for (std::int64_t c = column; c < column + columns; ++c) {
        const std::int64_t at = (row + (first + r) * p.where.row_step) * inputs + c;
        const unsigned char both = p.tensor->data[at / 2];
        const int power = p.mx_scale->data[at / mx_block] - 127;
        *out++ = std::ldexp(values[at % 2 == 0 ? both & 15 : both >> 4], power);
      }
  }

  static void read(const piece& p, std::int64_t first, std::int64_t n, std::int64_t column, std::int64_t columns,
                   float* out) {
    const tensor_part& at = p.where;
    if (p.mx_scale != nullptr) return read_mx(p, first, n, column, columns, out);
    const std::int64_t begin = at.first + first * at.row_step + column * at.column_step;
    if (at.column_step == 1 && at.row_step == columns) {
      p.tensor->read(begin, n * columns, out);
    } else if (at.column_step == 1) {
      for (std::int64_t r = 0; r < n; ++r) p.tensor->read(begin + r * at.row_step, columns, out + r * columns);
    } else {
      // A column of ours lies along the tensor.
      std::vector<float> run(static_cast<std::size_t>((n - 1) * at.row_step + 1));
      for (std::int64_t c = 0; c < columns; ++c) {
        p.tensor->read(begin + c * at.column_step, static_cast<std::int64_t>(run.size()), run.data());
        for (std::int64_t r = 0; r < n; ++r) out[r * columns + c] = run[static_cast<std::size_t>(r * at.row_step)];
      }
    }
    if (p.block_scale != nullptr) {
      const std::int64_t row = at.row_step > 0 ? at.first / at.row_step + first : 0, across = p.block_scale->shape[1];
      for (std::int64_t r = 0; r < n; ++r)
        for (std::int64_t c = 0; c < columns; ++c) {
          float s = 1;
          p.block_scale->read((row + r) / square * across + (column + c) / square, 1, &s);
          out[r * columns + c] *= s;
        }
    }
    if (p.scale != nullptr)
      apply(*p.scale, at.column_step == 1 && at.row_step > 0 ? at.first / at.row_step + first : 0, n, columns, out);
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

// A number in [-reach, reach) from 24 bits.
inline float spread(std::uint64_t bits, float reach) {
  return (static_cast<float>(static_cast<std::int32_t>(bits & 0xffffffU)) * 0x1p-23F - 1.0F) * reach;
}

// Two numbers from each hash (splitmix64) of half a place, `first` even: its top 24 bits, and those from bit 8 on.
MEMWALL_EACH_CPU void draw_pairs(std::uint64_t seed, std::int64_t first, std::int64_t pairs, float reach, float* out) {
  for (std::int64_t i = 0; i < pairs; ++i) {
    std::uint64_t z = seed + static_cast<std::uint64_t>(first / 2 + i) * 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    out[2 * i] = spread(z >> 40, reach);
    out[2 * i + 1] = spread(z >> 8, reach);
  }
}

void draw(std::uint64_t seed, std::int64_t first, std::int64_t count, float reach, float* out) {
  float pair[2];
  if (first % 2 != 0 && count > 0) {
    draw_pairs(seed, first - 1, 1, reach, pair);
    *out++ = pair[1];
    ++first;
    --count;
  }
  draw_pairs(seed, first, count / 2, reach, out);
  if (count % 2 != 0) {
    draw_pairs(seed, first + count - 1, 1, reach, pair);
    out[count - 1] = pair[0];
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
