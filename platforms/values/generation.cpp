// SPDX-License-Identifier: Apache-2.0
#include "platforms/values/generation.h"

#include <algorithm>
#include <optional>
#include <set>

namespace memwall::platforms {
namespace {

class known_tokens final : public trace::op_stream {
 public:
  known_tokens(std::unique_ptr<trace::op_stream> plain, const model& m,
               std::shared_ptr<const std::vector<std::int32_t>> tokens, bool all_logits, const expert_routes* routes)
      : m_plain(std::move(plain)), m_tokens(std::move(tokens)), m_all(all_logits), m_moe(m.moe) {
    if (routes != nullptr) m_routes = *routes;
    const auto& w = header().workload;
    m_row = bytes_of(w.types.tables, m.hidden);
    m_activation_row = bytes_of(w.types.activations, m.hidden);
    m_rows["act.qkv"] = bytes_of(w.types.activations, (m.heads + 2 * m.kv_heads) * m.head_dim);
    if (m.mla) {
      const std::int64_t query = m.heads * (m.mla->nope + m.mla->rope);
      m_rows["act.qkv_a"] =
          bytes_of(w.types.activations, (m.mla->q_rank > 0 ? m.mla->q_rank : query) + m.mla->kv_rank + m.mla->rope);
      m_rows["act.q"] = bytes_of(w.types.activations, query);
    }
  }
  const trace::header& header() const override { return m_plain->header(); }
  std::int64_t size() const override { return m_plain->size(); }
  bool next(trace::op& out) override {
    if (!m_plain->next(out)) return false;
    const pass_facts pass = pass_of(out, header().workload, *m_tokens, m_all);
    if (out.kind == trace::op_kind::embed) {
      const trace::tensor_use table = out.uses.front();
      std::vector<trace::tensor_use> uses;
      std::set<std::int32_t> met;
      for (std::int64_t r = 0; r < pass.rows; ++r) {
        const auto at = static_cast<std::size_t>(pass.past + r);
        const std::int32_t token = at < m_tokens->size() ? (*m_tokens)[at] : 0;  // not known yet: placement asks early
        if (met.insert(token).second) uses.push_back({table.tensor, table.what, token * m_row, m_row});
      }
      uses.insert(uses.end(), out.uses.begin() + 1, out.uses.end());
      out.uses = std::move(uses);
    }
    // Values stand where they were written: what takes a part of each row of queries, keys and values reads the rows.
    for (auto& u : out.uses)
      if (const auto found = m_rows.find(header().tensors[u.tensor].name); found != m_rows.end())
        u.bytes = pass.rows * found->second;
    if (out.kind == trace::op_kind::norm && out.layer < 0 && out.name == "norm" && !m_all)
      out.uses.front().offset = (pass.rows - 1) * m_activation_row;
    if (out.kind == trace::op_kind::expert_gemm) take_routes(out, pass);
    return true;
  }

 private:
  /// Reads the experts that the positions took; neighbours as one block.
  void take_routes(trace::op& o, const pass_facts& pass) const {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(m_moe->experts), 0);
    for (std::int64_t r = 0; r < pass.rows; ++r) {
      const auto found = m_routes.find({pass.past + r, o.layer});
      if (found == m_routes.end()) return;
      for (const std::int64_t e : found->second) ++rows[static_cast<std::size_t>(e)];
    }
    const auto& types = header().workload.types;
    std::vector<trace::tensor_use> uses{o.uses.front()};
    o.group_rows.clear();
    for (const std::int64_t r : rows)
      if (r > 0) o.group_rows.push_back(r);
    // The stack's uses, then those of its biases.
    for (std::size_t u = 1; u + 1 < o.uses.size(); ++u) {
      if (o.uses[u].tensor == uses.back().tensor) continue;
      const std::uint32_t tensor = o.uses[u].tensor;
      const std::int64_t one = uses.size() == 1 ? bytes_of(types.experts, o.n, o.k) : bytes_of(types.vectors(), 1, o.n);
      for (std::int64_t e = 0; e < m_moe->experts; ++e) {
        if (rows[static_cast<std::size_t>(e)] == 0) continue;
        if (auto& last = uses.back(); last.tensor == tensor && last.offset + last.bytes == e * one)
          last.bytes += one;
        else
          uses.push_back({tensor, trace::access::read, e * one, one});
      }
    }
    uses.push_back(o.uses.back());
    o.uses = std::move(uses);
  }

  std::unique_ptr<trace::op_stream> m_plain;
  std::shared_ptr<const std::vector<std::int32_t>> m_tokens;
  bool m_all;
  std::optional<moe_shape> m_moe;
  expert_routes m_routes;
  std::int64_t m_row = 0, m_activation_row = 0;
  std::map<std::string, std::int64_t> m_rows;  // bytes of a row that operators take a part of
};

}  // namespace

std::unique_ptr<trace::op_stream> with_tokens(std::unique_ptr<trace::op_stream> plain, const model& m,
                                              std::shared_ptr<const std::vector<std::int32_t>> tokens, bool all_logits,
                                              const expert_routes* routes) {
  return std::make_unique<known_tokens>(std::move(plain), m, std::move(tokens), all_logits, routes);
}

pass_facts pass_of(const trace::op& op, const trace::workload& w, const std::vector<std::int32_t>& tokens,
                   bool all_logits) {
  pass_facts p;
  if (op.phase == trace::phase::prefill) {
    p.rows = w.prompt;
  } else {
    p.past = (w.phase == trace::workload::phases::both ? w.prompt : w.context - 1) + op.step;
  }
  if (static_cast<std::size_t>(p.past) < tokens.size()) p.tokens = tokens.data() + p.past;
  p.all_logits = all_logits;
  return p;
}

namespace {

class image_bytes final : public operand_bytes {
 public:
  image_bytes(const trace::header& h, const trace::op& op, std::vector<std::vector<unsigned char>>& bytes)
      : m_header(h), m_op(op), m_bytes(bytes) {}
  const unsigned char* read(std::size_t use) override {
    const trace::tensor_use& u = m_op.uses[use];
    if (m_header.tensors[u.tensor].cls == trace::tensor_class::weights) return nullptr;
    return m_bytes[u.tensor].data() + u.offset;
  }
  unsigned char* write(std::size_t use, std::int64_t bytes) override {
    const trace::tensor_use& u = m_op.uses[use];
    auto& to = m_bytes[u.tensor];
    to.resize(std::max(to.size(), static_cast<std::size_t>(u.offset + bytes)));
    return to.data() + u.offset;
  }

 private:
  const trace::header& m_header;
  const trace::op& m_op;
  std::vector<std::vector<unsigned char>>& m_bytes;
};

}  // namespace

void tensor_image::execute(machine& by, const trace::op& op, const pass_facts& pass) {
  image_bytes bytes(m_header, op, m_bytes);
  by.execute(op, m_header, pass, bytes);
}

const unsigned char* tensor_image::at(const std::string& tensor) const {
  for (std::size_t i = 0; i < m_header.tensors.size(); ++i)
    if (m_header.tensors[i].name == tensor) return m_bytes[i].data();
  throw std::logic_error("no tensor '" + tensor + "'");
}

namespace {

/// One pass over a text; `f` gets the tensors it leaves.
template <class F>
void one_pass(machine& by, const model& m, const dtypes& types, const std::vector<std::int32_t>& tokens, F&& f) {
  trace::workload w;
  w.phase = trace::workload::phases::prefill;
  w.prompt = static_cast<std::int64_t>(tokens.size());
  w.types = types;
  const auto stream =
      with_tokens(trace::generate(m, w), m, std::make_shared<const std::vector<std::int32_t>>(tokens), true);
  tensor_image image(stream->header());
  trace::op op;
  while (stream->next(op)) image.execute(by, op, pass_of(op, w, tokens, true));
  f(image);
}

}  // namespace

std::vector<float> logits_of(machine& by, const model& m, const dtypes& types,
                             const std::vector<std::int32_t>& tokens) {
  std::vector<float> out(tokens.size() * static_cast<std::size_t>(m.vocab));
  one_pass(by, m, types, tokens, [&](const tensor_image& image) {
    by.activations().decode(image.at("act.logits"), static_cast<std::int64_t>(out.size()), 1, out.data());
  });
  return out;
}

void pass_over(machine& by, const model& m, const dtypes& types, const std::vector<std::int32_t>& tokens) {
  one_pass(by, m, types, tokens, [](const tensor_image&) {});
}

trace::workload workload_for(const dtypes& types, std::int64_t prompt, std::int64_t count) {
  trace::workload w;
  w.phase = count > 1 ? trace::workload::phases::both : trace::workload::phases::prefill;
  w.prompt = prompt;
  w.context = prompt + 1;
  w.tokens = std::max<std::int64_t>(1, count - 1);
  w.types = types;
  return w;
}

generated generate_tokens(machine& by, const model& m, const trace::workload& w, std::vector<std::int32_t> prompt,
                          std::int64_t count, const std::function<void(std::int64_t)>& on_token) {
  auto tokens = std::make_shared<std::vector<std::int32_t>>(std::move(prompt));
  const auto stream = with_tokens(trace::generate(m, w), m, tokens);
  tensor_image image(stream->header());
  generated out;
  trace::op op;
  while (static_cast<std::int64_t>(out.tokens.size()) < count && stream->next(op)) {
    image.execute(by, op, pass_of(op, w, *tokens, false));
    if (op.kind != trace::op_kind::sample) continue;
    std::vector<float> logits(static_cast<std::size_t>(m.vocab));
    by.activations().decode(image.at("act.logits"), m.vocab, 1, logits.data());
    tokens->push_back(arg_max(logits.data(), m.vocab));
    out.tokens.push_back(tokens->back());
    out.logits.push_back(std::move(logits));
    if (on_token) on_token(static_cast<std::int64_t>(out.tokens.size()));
  }
  return out;
}

}  // namespace memwall::platforms
