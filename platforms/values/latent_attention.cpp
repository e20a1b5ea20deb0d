// SPDX-License-Identifier: Apache-2.0
// DeepSeek's latent attention: the cache holds a latent of all heads and a rotated key. A prompt expands it to keys and
// values; a new token multiplies the expansion into its queries and results instead (absorbed).
#include <algorithm>
#include <cmath>
#include <limits>

#include "hw/common/parallel.h"
#include "platforms/values/machine.h"
#include "platforms/values/operator_parts.h"

namespace memwall::platforms {

/// A prompt's latents to keys and values of every head: all keys, then all values of a position.
void machine::expand(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes) {
  const std::size_t table = use_of(op, trace::access::read), cache = use_of(op, trace::access::read, 1);
  const std::string& name = header.tensors[op.uses[table].tensor].name;
  const std::int64_t rank = m_model.mla->kv_rank, turned = m_model.mla->rope;
  const unsigned char* from = bytes.read(cache);
  std::vector<float> x, row(static_cast<std::size_t>(rank + turned));
  m_key_turns.clear();
  for (std::int64_t p = 0; p < op.m; ++p) {
    m_cache.decode(from + p * m_cache.row_bytes(rank + turned), rank + turned, 1, row.data());
    x.insert(x.end(), row.begin(), row.begin() + rank);
    m_key_turns.insert(m_key_turns.end(), row.begin() + rank, row.end());
  }
  store(bytes, use_of(op, trace::access::write),
        product_of(op, name, x, op.m, pass.past + pass.rows - op.m, bytes.read(table)));
}

/// One head's part of the expansion, from what is held: keys turned, so that latents come out; values as they are.
held_matrix machine::part_of_head(const std::string& name, std::int64_t head, bool keys, const unsigned char* given) {
  const auto& a = *m_model.mla;
  const held_matrix& whole = matrix(name);
  const std::int64_t rows = keys ? a.nope : a.value;
  const std::int64_t from = keys ? head * rows : m_model.heads * a.nope + head * rows;
  std::vector<float> held(static_cast<std::size_t>(rows * a.kv_rank));
  if (given == nullptr) {
    whole.reals(from, rows, held.data());
  } else {
    const std::int64_t row = whole.type.row_bytes(a.kv_rank);
    for (std::int64_t r = 0; r < rows; ++r)
      whole.type.decode(given + (head * rows + r) * row, a.kv_rank, whole.scale_of(from + r),
                        &held[static_cast<std::size_t>(r * a.kv_rank)]);
  }
  held_matrix part = whole;
  part.source = nullptr;
  part.first_row = 0;
  part.rows = keys ? a.kv_rank : rows;
  part.columns = keys ? rows : a.kv_rank;
  auto own = std::make_shared<std::vector<float>>(held.size());
  for (std::int64_t r = 0; r < part.rows; ++r)
    for (std::int64_t c = 0; c < part.columns; ++c)
      (*own)[static_cast<std::size_t>(r * part.columns + c)] =
          held[static_cast<std::size_t>(keys ? c * a.kv_rank + r : r * a.kv_rank + c)];
  if (part.scales.size() > 1) {
    part.scales.clear();
    for (std::int64_t r = 0; r < part.rows; ++r) {
      const float v = largest_magnitude(&(*own)[static_cast<std::size_t>(r * part.columns)], part.columns);
      part.scales.push_back(v > 0 ? v / static_cast<float>(part.type.top()) : 1.0F);
    }
  }
  part.read = [own, type = part.type, columns = part.columns, scales = part.scales](
                  std::int64_t first, std::int64_t count, unsigned char* out) {
    const std::int64_t bytes = type.row_bytes(columns);
    for (std::int64_t r = first; r < first + count; ++r, out += bytes) {
      const float scale = scales.empty() ? 1.0F : scales[scales.size() == 1 ? 0 : static_cast<std::size_t>(r)];
      type.encode(&(*own)[static_cast<std::size_t>(r * columns)], columns, scale, out);
    }
  };
  return part;
}

/// A token's queries to latents, or what it attended to values, head by head. Inputs have the range of each vector.
void machine::absorb(const trace::op& op, const trace::header& header, const pass_facts& pass, operand_bytes& bytes) {
  const auto& a = *m_model.mla;
  const bool keys = local_name(op) == "attn.absorb_k";
  const std::size_t table = use_of(op, trace::access::read, 1);
  const std::string& name = header.tensors[op.uses[table].tensor].name;
  const std::int64_t stride = keys ? a.nope + a.rope : a.kv_rank;
  const auto x = values(bytes.read(use_of(op, trace::access::read)), pass.rows * m_model.heads * stride);
  const unsigned char* given = bytes.read(table);
  const value_core* core = core_for(op);
  std::vector<float> y(static_cast<std::size_t>(pass.rows * m_model.heads * op.n));
  for (std::int64_t h = 0; h < m_model.heads; ++h) {
    std::unique_ptr<product_unit> passing;
    auto& kept = given != nullptr
                     ? passing
                     : m_units[{name + (keys ? "#k" : "#v") + std::to_string(h), core == nullptr ? "" : core->name()}];
    if (kept == nullptr)
      kept = new_unit(name, op, part_of_head(name, h, keys, given), static_cast<std::uint64_t>(2 * h + (keys ? 1 : 2)),
                      false);
    for (std::int64_t r = 0; r < pass.rows; ++r)
      kept->run(&x[static_cast<std::size_t>((r * m_model.heads + h) * stride)], 1, pass.past + r,
                &y[static_cast<std::size_t>((r * m_model.heads + h) * op.n)]);
  }
  store(bytes, use_of(op, trace::access::write), y);
}

/// Over expanded keys and values (prompts), or over the latents themselves: a head's score is that of its own part and
/// that of the rotated part, which all heads' keys share.
void machine::attend_latent(const trace::op& op, const trace::header& header, const pass_facts& pass,
                            operand_bytes& bytes) {
  const auto& a = *m_model.mla;
  const std::int64_t heads = m_model.heads, q_width = a.nope + a.rope;
  const std::size_t first_use = use_of(op, trace::access::read), second_use = use_of(op, trace::access::read, 1);
  const bool latent = header.tensors[op.uses[first_use].tensor].name == "act.q_latent";
  const auto q = values(bytes.read(latent ? second_use : first_use), pass.rows * heads * q_width);
  const std::int64_t seen = pass.past + pass.rows;
  // Of every position: what the own parts of queries meet, its rotated part, and what is summed.
  std::vector<float> own, keys, turns;
  const std::int64_t key = latent ? a.kv_rank : a.nope, content = latent ? a.kv_rank : a.value;
  if (latent) {
    own = values(bytes.read(first_use), pass.rows * heads * a.kv_rank);
    const unsigned char* from = bytes.read(use_of(op, trace::access::read, 2));
    std::vector<float> row(static_cast<std::size_t>(a.kv_rank + a.rope));
    for (std::int64_t p = 0; p < seen; ++p) {
      m_cache.decode(from + p * m_cache.row_bytes(a.kv_rank + a.rope), a.kv_rank + a.rope, 1, row.data());
      keys.insert(keys.end(), row.begin(), row.begin() + a.kv_rank);
      turns.insert(turns.end(), row.begin() + a.kv_rank, row.end());
    }
  } else {
    keys = values(bytes.read(second_use), seen * heads * (a.nope + a.value));
    turns = m_key_turns;
  }
  const auto key_of = [&](std::int64_t p, std::int64_t h) {
    return latent ? &keys[static_cast<std::size_t>(p * a.kv_rank)]
                  : &keys[static_cast<std::size_t>(p * heads * (a.nope + a.value) + h * a.nope)];
  };
  const auto content_of = [&](std::int64_t p, std::int64_t h) {
    return latent ? key_of(p, h)
                  : &keys[static_cast<std::size_t>(p * heads * (a.nope + a.value) + heads * a.nope + h * a.value)];
  };
  const auto scale = static_cast<float>(m_numerics.score_scale);
  std::vector<float> out(static_cast<std::size_t>(pass.rows * heads * content), 0.0F);
  parallel_for(pass.rows * heads, m_settings.threads, [&](std::int64_t task) {
    const std::int64_t r = task / heads, h = task % heads, count = pass.past + r + 1;
    const float* query = &q[static_cast<std::size_t>((r * heads + h) * q_width)];
    const float* meets = latent ? &own[static_cast<std::size_t>((r * heads + h) * a.kv_rank)] : query;
    std::vector<float> scores(static_cast<std::size_t>(count));
    for (std::int64_t p = 0; p < count; ++p) {
      float sum = 0;
      for (std::int64_t i = 0; i < key; ++i) sum += meets[i] * key_of(p, h)[i];
      for (std::int64_t i = 0; i < a.rope; ++i)
        sum += query[a.nope + i] * turns[static_cast<std::size_t>(p * a.rope + i)];
      scores[static_cast<std::size_t>(p)] = sum * scale;
    }
    softmax(scores.data(), count);
    float* to = &out[static_cast<std::size_t>((r * heads + h) * content)];
    for (std::int64_t p = 0; p < count; ++p)
      for (std::int64_t i = 0; i < content; ++i) to[i] += scores[static_cast<std::size_t>(p)] * content_of(p, h)[i];
  });
  store(bytes, use_of(op, trace::access::write), out);
}

/// Rotates the rotated parts of queries and the one of the key, and writes latents with it into the cache.
void machine::rotate_latent(const trace::op& op, const pass_facts& pass, operand_bytes& bytes) {
  const auto& a = *m_model.mla;
  const std::int64_t heads = m_model.heads, q_width = a.nope + a.rope, query = heads * q_width;
  const std::int64_t before = a.q_rank > 0 ? a.q_rank : query, latent = a.kv_rank + a.rope;
  std::size_t nth = 0;
  std::vector<float> q;
  if (a.q_rank > 0) q = values(bytes.read(use_of(op, trace::access::read, nth++)), pass.rows * query);
  auto rows = values(bytes.read(use_of(op, trace::access::read, nth)), pass.rows * (before + latent));
  std::vector<unsigned char> cached(static_cast<std::size_t>(pass.rows * m_cache.row_bytes(latent)));
  for (std::int64_t r = 0; r < pass.rows; ++r) {
    float* row = &rows[static_cast<std::size_t>(r * (before + latent))];
    if (a.q_rank == 0) q.insert(q.end(), row, row + query);
    for (std::int64_t h = 0; h < heads; ++h)
      m_rotations.apply(pass.past + r, &q[static_cast<std::size_t>(r * query + h * q_width + a.nope)]);
    m_rotations.apply(pass.past + r, row + before + a.kv_rank);
    m_cache.encode(row + before, latent, 1, &cached[static_cast<std::size_t>(r * m_cache.row_bytes(latent))]);
  }
  const std::size_t first = use_of(op, trace::access::write);
  store(bytes, first, q);
  const std::size_t to = use_of(op, trace::access::write, 1);
  std::copy(cached.begin(), cached.end(), bytes.write(to, static_cast<std::int64_t>(cached.size())));
}

}  // namespace memwall::platforms
