// SPDX-License-Identifier: Apache-2.0
// A small model of random weights on platforms, against a forward pass written out here.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>

#include "models/weights/safetensors.h"
#include "platforms/values/generation.h"
#include "platforms/values/inference.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

const char* const config =
    R"({"model_type":"llama","hidden_size":24,"intermediate_size":40,"num_hidden_layers":2,"num_attention_heads":4,)"
    R"("num_key_value_heads":2,"head_dim":6,"vocab_size":50,"rms_norm_eps":1e-5,"max_position_embeddings":64})";

struct small_model {
  test::temp_dir dir;
  model shape;
  numerics arithmetic;
  std::shared_ptr<const weight_source> weights;
  small_model() {
    std::ofstream(dir / "config.json") << config;
    shape = load_model(dir.path());
    arithmetic = read_numerics(shape);
    weights = draw_weights(shape, 7);
  }
  inference_request request_on(const platform_description& p) const {
    inference_request r;
    r.shape = shape;
    r.arithmetic = arithmetic;
    r.weights = weights;
    r.platform = &p;
    return r;
  }
  std::vector<float> of(const std::string& name) const {
    for (const weight& w : weights_of(shape))
      if (w.name == name) {
        std::vector<float> out(static_cast<std::size_t>(w.count()));
        weights->rows(w, 0, w.rows, out.data());
        return out;
      }
    throw std::logic_error(name);
  }
};

using rounding = std::function<float(float)>;
using vector = std::vector<float>;
/// y = W x by the name of W.
using multiplication = std::function<vector(const std::string&, const vector&, std::size_t)>;

float half(float v) {
  return from_half(to_half(v));
}
float same(float v) {
  return v;
}

/// Logits of the last token, position by position, every step rounded.
vector forward(const small_model& s, const std::vector<std::int32_t>& tokens, const multiplication& times,
               const vector& embedding, const rounding& to) {
  const model& m = s.shape;
  const auto h = static_cast<std::size_t>(m.hidden), d = static_cast<std::size_t>(m.head_dim),
             heads = static_cast<std::size_t>(m.heads), kv = static_cast<std::size_t>(m.kv_heads);
  const rotations turn(m, s.arithmetic);
  std::vector<std::vector<vector>> keys(2), contents(2);
  const auto rounded = [&](vector v) {
    for (float& x : v) x = to(x);
    return v;
  };
  const auto norm = [&](const vector& x, const std::string& name) {
    vector y(h);
    rms_norm(x.data(), s.of(name).data(), 1, m.hidden, s.arithmetic.norm_eps, y.data());
    return rounded(y);
  };
  vector x;
  for (std::size_t p = 0; p < tokens.size(); ++p) {
    const auto row = embedding.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(tokens[p]) * h);
    x = rounded(vector(row, row + static_cast<std::ptrdiff_t>(h)));
    for (std::size_t l = 0; l < 2; ++l) {
      const std::string at = "layers." + std::to_string(l) + ".";
      vector q = rounded(times(at + "attn.qkv", norm(x, at + "attn.norm"), p));
      for (std::size_t i = 0; i < heads + kv; ++i) turn.apply(static_cast<std::int64_t>(p), &q[i * d]);
      q = rounded(q);
      keys[l].emplace_back(q.begin() + static_cast<std::ptrdiff_t>(heads * d),
                           q.begin() + static_cast<std::ptrdiff_t>((heads + kv) * d));
      contents[l].emplace_back(q.begin() + static_cast<std::ptrdiff_t>((heads + kv) * d), q.end());
      vector a(heads * d, 0.0F);
      for (std::size_t i = 0; i < heads; ++i) {
        const std::size_t g = i / (heads / kv) * d;
        vector score(p + 1);
        for (std::size_t j = 0; j <= p; ++j) {
          float sum = 0;
          for (std::size_t c = 0; c < d; ++c) sum += q[i * d + c] * keys[l][j][g + c];
          score[j] = sum * (1.0F / std::sqrt(static_cast<float>(d)));
        }
        softmax(score.data(), static_cast<std::int64_t>(score.size()));
        for (std::size_t j = 0; j <= p; ++j)
          for (std::size_t c = 0; c < d; ++c) a[i * d + c] += score[j] * contents[l][j][g + c];
      }
      const vector o = rounded(times(at + "attn.o", rounded(a), p));
      for (std::size_t i = 0; i < h; ++i) x[i] = to(o[i] + x[i]);
      const vector up = rounded(times(at + "mlp.gate_up", norm(x, at + "mlp.norm"), p));
      vector inner(static_cast<std::size_t>(m.ffn));
      mlp_activation(m, s.arithmetic, up.data(), 1, m.ffn, inner.data());
      const vector down = rounded(times(at + "mlp.down", rounded(inner), p));
      for (std::size_t i = 0; i < h; ++i) x[i] = to(down[i] + x[i]);
    }
  }
  return rounded(times("lm_head", norm(x, "norm"), tokens.size() - 1));
}

/// What integer arithmetic gives for int8 weights (one scale a tensor) and 8-bit inputs (one scale a vector).
vector integer_product(const vector& w, const vector& x) {
  const auto largest = [](const vector& v) {
    float most = 0;
    for (const float i : v) most = std::max(most, std::fabs(i));
    return most > 0 ? most / 127.0F : 1.0F;
  };
  const float sw = largest(w), sx = largest(x);
  const auto q = [](float v, float scale) { return static_cast<std::int64_t>(std::nearbyint(v / scale)); };
  vector y(w.size() / x.size());
  for (std::size_t r = 0; r < y.size(); ++r) {
    std::int64_t sum = 0;
    for (std::size_t c = 0; c < x.size(); ++c) sum += q(w[r * x.size() + c], sw) * q(x[c], sx);
    y[r] = static_cast<float>(static_cast<double>(sum) * static_cast<double>(sx * sw));
  }
  return y;
}

generated on_platform(const small_model& s, const std::string& platform, const std::vector<std::string>& sets,
                      const char* types, const std::vector<std::int32_t>& prompt, std::int64_t count) {
  const auto p = load_platform(platform, sets);
  value_settings settings;
  settings.types = dtypes::parse(types);
  settings.threads = 2;
  machine m(s.shape, s.arithmetic, *s.weights, &p, settings);
  return generate_tokens(m, s.shape, workload_for(settings.types, static_cast<std::int64_t>(prompt.size()), count),
                         prompt, count);
}

void expect_integer_reference(const std::string& platform, const std::vector<std::string>& sets) {
  const small_model s;
  std::vector<std::int32_t> tokens{3, 14, 15, 9, 26};
  const generated got = on_platform(s, platform, sets, "int8/fp16/fp16", tokens, 6);
  // The table's rows are int8 of the same scale.
  vector embedding = s.of("embed");
  float most = 0;
  for (const float v : embedding) most = std::max(most, std::fabs(v));
  for (float& v : embedding) v = std::nearbyint(v / (most / 127.0F)) * (most / 127.0F);
  for (std::size_t i = 0; i < got.tokens.size(); ++i) {
    const vector logits = forward(
        s, tokens,
        [&](const std::string& name, const vector& x, std::size_t) { return integer_product(s.of(name), x); },
        embedding, half);
    ASSERT_EQ(got.logits[i], logits) << platform << ", token " << i;
    tokens.push_back(arg_max(logits.data(), s.shape.vocab));
    ASSERT_EQ(got.tokens[i], tokens.back());
  }
}

}  // namespace

TEST(machine, the_reference_is_a_forward_pass_in_single_precision) {
  const small_model s;
  value_settings settings;
  settings.types = dtypes::parse("fp32");
  machine m(s.shape, s.arithmetic, *s.weights, nullptr, settings);
  const std::vector<std::int32_t> tokens{1, 2, 3, 4, 5, 49};
  const auto got = logits_of(m, s.shape, settings.types, tokens);
  const vector expected = forward(
      s, tokens,
      [&](const std::string& name, const vector& x, std::size_t) {
        const vector w = s.of(name);
        vector y(w.size() / x.size());
        for (std::size_t r = 0; r < y.size(); ++r)
          for (std::size_t c = 0; c < x.size(); ++c) y[r] += w[r * x.size() + c] * x[c];
        return y;
      },
      s.of("embed"), same);
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(got[got.size() - expected.size() + i], expected[i], 1e-5);
}

// To the bit, token by token.
TEST(machine, digital_macros_give_the_integer_reference) {
  expect_integer_reference("cim_sram", {"cim.input_range=vector"});
}

TEST(machine, ideal_analog_arrays_give_the_integer_reference) {
  expect_integer_reference("cim_analog",
                           {"cim.input_range=vector", "cim.macro={base: hermes}", "cim.macro.adc_bits=24",
                            "cim.macro.adc_ranging=full", "cim.macro.program_noise=0", "cim.macro.program_noise_1=0",
                            "cim.macro.program_noise_2=0", "cim.macro.read_noise=0"});
}

TEST(machine, noise_moves_logits_by_its_seed_alone_and_not_by_the_number_of_threads) {
  const small_model s;
  const auto p = load_platform("cim_analog", {"cim.input_range=vector"});
  const std::vector<std::int32_t> tokens{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
  const auto logits = [&](std::uint64_t seed, int threads) {
    value_settings v;
    v.types = dtypes::parse("int8/fp16/fp16");
    v.seed = seed;
    v.threads = threads;
    machine m(s.shape, s.arithmetic, *s.weights, &p, v);
    return logits_of(m, s.shape, v.types, tokens);
  };
  EXPECT_EQ(logits(1, 1), logits(1, 3));
  EXPECT_NE(logits(1, 1), logits(2, 1));
}

// Fixed ranges clip what is larger; a range of each vector does not.
TEST(machine, ranges_are_fixed_on_a_text) {
  const small_model s;
  const auto p = load_platform("cim_sram");
  inference_request r = s.request_on(p);
  r.settings.types = dtypes::parse("int8/fp16/fp16");
  r.text = {1, 2, 3, 4, 5, 6, 7, 8};
  r.context = 8;
  const inference i = infer(r);
  EXPECT_EQ(i.scored, 7);
  EXPECT_EQ(i.compared, 7);
  EXPECT_EQ(i.ranges.size(), 9U);  // four products a layer, and the model's end
  EXPECT_NEAR(i.nll, i.reference_nll, 0.2 * 7);
  EXPECT_LT(i.divergence / 7, 0.05);
  r.platform = nullptr;
  r.settings.types = dtypes::parse("fp32");
  EXPECT_NEAR(infer(r).nll, i.reference_nll, 1e-9);
}

// Of a text: by windows of 4 that begin every 2, so that 4, 6 and 8 of 8 are done. Of tokens that are made: by token.
TEST(machine, progress_is_the_share_of_the_text_or_of_the_tokens) {
  const small_model s;
  std::vector<double> told;
  inference_request r;
  r.shape = s.shape;
  r.arithmetic = s.arithmetic;
  r.weights = s.weights;
  r.settings.types = dtypes::parse("fp32");
  r.on_progress = [&](double share) { told.push_back(share); };
  r.text = {1, 2, 3, 4, 5, 6, 7, 8};
  r.context = 4;
  infer(r);
  EXPECT_EQ(told, (std::vector<double>{0.5, 0.75, 1}));
  told.clear();
  r.text.clear();
  r.prompt = {1, 2, 3};
  r.new_tokens = 4;
  infer(r);
  EXPECT_EQ(told, (std::vector<double>{0.25, 0.5, 0.75, 1}));
  told.clear();
  r.new_tokens = 1;
  infer(r);
  EXPECT_EQ(told, (std::vector<double>{1}));
}

// A machine that computes in single precision makes the reference's logits at each token it makes.
TEST(machine, tokens_made_in_single_precision_are_those_of_the_reference) {
  const small_model s;
  const auto p = load_platform("von_neumann_h100");
  inference_request r = s.request_on(p);
  r.settings.types = dtypes::parse("fp32");
  r.prompt = {1, 2, 3, 4, 5};
  r.new_tokens = 4;
  const inference i = infer(r);
  EXPECT_EQ(i.compared, 4);
  EXPECT_EQ(i.agreed, 4);
  EXPECT_NEAR(i.divergence, 0, 1e-9);
  EXPECT_NEAR(i.nll, i.reference_nll, 1e-6);
}

// What is computed once and not kept, with scales noted on the way, is what a machine that keeps everything computes:
// to the bit, with noise too; and so is one window of a text.
TEST(machine, one_pass_gives_what_several_do) {
  const small_model s;
  for (const char* platform : {"cim_analog", "cim_sram", "von_neumann_h100", "cim_dram"}) {
    const auto p = load_platform(platform);
    inference_request r;
    r.shape = s.shape;
    r.arithmetic = s.arithmetic;
    r.weights = s.weights;
    r.platform = &p;
    r.settings.types = usual_types(p);
    r.prompt = {1, 2, 3, 4, 5};
    r.new_tokens = 1;
    const inference one = infer(r);
    r.new_tokens = 3;
    const inference three = infer(r);
    ASSERT_EQ(one.made.logits[0], three.made.logits[0]) << platform;
    EXPECT_EQ(one.made.tokens[0], three.made.tokens[0]);
    EXPECT_EQ(one.ranges, three.ranges);
    EXPECT_EQ(one.nll, three.nll);
    EXPECT_EQ(one.reference_nll, three.reference_nll);
    EXPECT_EQ(one.scored, 4);
    r.compare = false;
    r.new_tokens = 1;
    EXPECT_EQ(infer(r).made.logits, one.made.logits) << "without the reference";
    // A machine of its own, which reads scales from the weights themselves.
    machine kept(s.shape, s.arithmetic, *s.weights, &p, r.settings, one.ranges);
    EXPECT_EQ(generate_tokens(kept, s.shape, workload_for(r.settings.types, 5, 1), r.prompt, 1).logits,
              one.made.logits);
    const auto whole = logits_of(kept, s.shape, r.settings.types, r.prompt);
    inference_request text = r;
    text.prompt.clear();
    text.text = r.prompt;
    text.context = 8;
    double nll = 0;
    for (std::size_t i = 0; i < 4; ++i) nll += negative_log_likelihood(&whole[i * 50], 50, r.prompt[i + 1]);
    EXPECT_NEAR(infer(text).nll, nll, 1e-9) << platform;
  }
}

// A weight that is no number is bad input wherever it is held; `inf` in one row, NaN in another.
TEST(machine, weights_that_are_no_numbers_are_named) {
  class broken final : public weight_source {
   public:
    broken(std::shared_ptr<const weight_source> of, float v) : m_of(std::move(of)), m_value(v) {}
    void block(const weight& w, std::int64_t first, std::int64_t count, std::int64_t column, std::int64_t columns,
               float* out) const override {
      m_of->block(w, first, count, column, columns, out);
      if (w.name == "layers.1.mlp.down" && first <= 3 && 3 < first + count && column == 0)
        out[(3 - first) * columns] = m_value;
    }

   private:
    std::shared_ptr<const weight_source> m_of;
    float m_value;
  };
  const small_model s;
  for (const float v : {INFINITY, -INFINITY, NAN})
    for (const char* platform : {"cim_sram", "von_neumann_h100", "cim_dram"}) {
      const auto p = load_platform(platform);
      inference_request r;
      r.shape = s.shape;
      r.arithmetic = s.arithmetic;
      r.weights = std::make_shared<broken>(s.weights, v);
      r.platform = &p;
      r.settings.types = usual_types(p);
      r.prompt = {1, 2, 3};
      r.new_tokens = 1;
      r.compare = false;
      EXPECT_THROW(infer(r), input_error) << platform << ' ' << v;
    }
}

// A mixture's experts are read where they were chosen: rows of a pass, parts of the stack, neighbours as one block.
// What an operator's pass has behind it and which tokens it reads: a prompt all of them at once; a step of decoding
// one, behind the context (of which the last position is its own) or the prompt, and the steps before it.
TEST(machine, a_pass_knows_its_place_in_the_text) {
  const std::vector<std::int32_t> tokens = {10, 11, 12, 13, 14, 15, 16, 17};
  trace::workload w;
  trace::op op;
  w.prompt = 5;
  w.context = 4;
  op.phase = trace::phase::prefill;
  const pass_facts prompt = pass_of(op, w, tokens, true);
  EXPECT_EQ(prompt.past, 0);
  EXPECT_EQ(prompt.rows, 5);
  EXPECT_EQ(prompt.tokens, tokens.data());
  EXPECT_TRUE(prompt.all_logits);
  op.phase = trace::phase::decode;
  op.step = 2;
  w.phase = trace::workload::phases::decode;
  const pass_facts step = pass_of(op, w, tokens, false);
  EXPECT_EQ(step.past, 3 + 2);
  EXPECT_EQ(step.rows, 1);
  ASSERT_EQ(step.tokens, tokens.data() + 5);
  EXPECT_FALSE(step.all_logits);
  w.phase = trace::workload::phases::both;
  EXPECT_EQ(pass_of(op, w, tokens, false).past, 5 + 2);
  EXPECT_EQ(pass_of(op, w, tokens, false).tokens, tokens.data() + 7);
  op.step = 3;  // its token is not known yet
  EXPECT_EQ(pass_of(op, w, tokens, false).tokens, nullptr);
}

TEST(machine, the_trace_reads_the_experts_that_values_choose) {
  const test::temp_dir dir;
  std::ofstream(dir / "config.json")
      << R"({"model_type":"mixtral","num_local_experts":8,"num_experts_per_tok":2,"intermediate_size":20,"hidden_size":24,)"
         R"("num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":6,"vocab_size":50,"max_position_embeddings":64})";
  const model m = load_model(dir.path());
  const auto w = workload_for(dtypes::parse("fp16"), 2, 1);
  const auto tokens = std::make_shared<const std::vector<std::int32_t>>(std::vector<std::int32_t>{1, 2});
  // Layer 0: experts 1 and 2, then 2 and 5. Layer 1: not all known, so that drawn ones stay.
  const expert_routes routes{{{0, 0}, {1, 2}}, {{1, 0}, {5, 2}}, {{0, 1}, {1, 2}}};
  const auto stream = with_tokens(trace::generate(m, w), m, tokens, false, &routes);
  const auto plain = with_tokens(trace::generate(m, w), m, tokens);
  const std::int64_t up = 2 * 20 * 24 * 2, down = 24 * 20 * 2;  // bytes of an expert
  trace::op op, drawn;
  int met = 0;
  while (stream->next(op) && plain->next(drawn)) {
    if (op.kind != trace::op_kind::expert_gemm) continue;
    ++met;
    if (op.layer == 1) {
      EXPECT_EQ(op.group_rows, drawn.group_rows);
      continue;
    }
    const std::int64_t one = op.name == "layers.0.moe.gate_up" ? up : down;
    EXPECT_EQ(op.group_rows, (std::vector<std::int64_t>{1, 2, 1}));
    ASSERT_EQ(op.uses.size(), 4U);  // inputs, experts 1 and 2, expert 5, results
    EXPECT_EQ(op.uses[1].offset, one);
    EXPECT_EQ(op.uses[1].bytes, 2 * one);
    EXPECT_EQ(op.uses[2].offset, 5 * one);
    EXPECT_EQ(op.uses[2].bytes, one);
    EXPECT_EQ(op.uses[3].what, trace::access::write);
  }
  EXPECT_EQ(met, 4);
}

// `macro: hermes` names a preset; --set changes one of its keys and leaves the others.
TEST(machine, a_key_is_set_over_the_preset_of_a_macro) {
  const auto macro_of = [](const std::vector<std::string>& sets) {
    const auto p = load_platform("cim_analog", sets);
    return value_core(*p.group("cim").front()).macro()->parameters();
  };
  auto plain = macro_of({});
  const auto set = macro_of({"cim.macro.adc_bits=6"}), whole = macro_of({"modules.cim.macro.adc_bits=6"});
  EXPECT_NE(plain["adc_bits"], 6);
  plain["adc_bits"] = 6;
  EXPECT_EQ(set, plain);
  EXPECT_EQ(whole, plain);
  EXPECT_EQ(macro_of({"cim.macro=neurram"})["technology"], "rram");
  EXPECT_THROW(macro_of({"cim.macro.adc_bitz=6"}), input_error);
  EXPECT_THROW(macro_of({"cim.macro.adc_bits.deeper=6"}), input_error);
  EXPECT_THROW(macro_of({"modules.none.macro.adc_bits=6"}), input_error);
  EXPECT_THROW(macro_of({"mem.macro.adc_bits=6", "cim.port_bandwidth.x=1"}), input_error);
}

TEST(machine, macros_refuse_types_they_cannot_hold) {
  const small_model s;
  EXPECT_THROW(on_platform(s, "cim_sram", {}, "fp16", {1}, 1), input_error);
  EXPECT_THROW(on_platform(s, "cim_sram", {}, "int4g32/fp16/fp16", {1}, 1), input_error);
  EXPECT_THROW(on_platform(s, "von_neumann_h100", {}, "fp8", {1}, 1), input_error);
  EXPECT_NO_THROW(on_platform(s, "von_neumann_h100", {}, "int4g32/fp16/fp16", {1}, 1));
  EXPECT_NO_THROW(on_platform(s, "cim_dram", {}, "fp16", {1}, 2));
}
