// SPDX-License-Identifier: Apache-2.0
// What a training step keeps, against published formulas to the byte and against measured peaks.
#include "models/training.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace memwall {
namespace {

/// GPT's form as in the paper on selective recomputation: MLP of four times the hidden size.
model gpt(std::int64_t layers, std::int64_t hidden, std::int64_t heads, std::int64_t vocab, std::int64_t positions) {
  return parse_model(R"({"model_type":"gpt2","n_layer":)" + std::to_string(layers) + R"(,"n_embd":)" +
                         std::to_string(hidden) + R"(,"n_head":)" + std::to_string(heads) + R"(,"vocab_size":)" +
                         std::to_string(vocab) + R"(,"n_positions":)" + std::to_string(positions) + "}",
                     "f", "gpt");
}

training_setup setup_of(std::int64_t micro_batch, std::int64_t length, std::int64_t tensor = 1, bool sequence = false) {
  training_setup t;
  t.batch = t.micro_batch = micro_batch;
  t.length = length;
  t.devices = t.tensor = tensor;
  t.sequence = sequence;
  return t;
}

// Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", Table 2: bytes a layer, with
// sequence s, micro-batch b, hidden h, heads a, tensor parallel t.
TEST(training, activations_of_a_gpt_layer) {
  const std::int64_t s = 2048, b = 4, h = 6144, a = 64;
  const auto m = gpt(48, h, a, 51200, s);
  const std::int64_t sbh = s * b * h, scores = 5 * a * s * s * b;
  for (const std::int64_t t : {1, 2, 8}) {
    auto setup = setup_of(b, s, t);
    EXPECT_EQ(layer_activation_bytes(setup, m, 0), 10 * sbh + 24 * sbh / t + scores / t);
    setup.recompute = "selective";
    EXPECT_EQ(layer_activation_bytes(setup, m, 0), 10 * sbh + 24 * sbh / t);
    setup.recompute = "full";
    EXPECT_EQ(layer_activation_bytes(setup, m, 0), 2 * sbh);
    setup = setup_of(b, s, t, true);
    EXPECT_EQ(layer_activation_bytes(setup, m, 0), (34 * sbh + scores) / t);
    setup.recompute = "selective";
    EXPECT_EQ(layer_activation_bytes(setup, m, 0), 34 * sbh / t);
    setup.recompute = "full";
    EXPECT_EQ(layer_activation_bytes(setup, m, 0), 2 * sbh / t);
  }
  // Flash attention keeps no scores, with nothing computed again.
  auto flash = setup_of(b, s);
  flash.attention = "flash";
  EXPECT_EQ(layer_activation_bytes(flash, m, 0), 34 * sbh);
}

// Figure 7 of the same paper: activations of a layer relative to plain tensor parallelism, GPT 22B on eight devices.
TEST(training, shares_that_the_paper_prints) {
  const auto m = gpt(48, 6144, 64, 51200, 2048);
  const auto bytes = [&](bool sequence, const char* recompute) {
    auto t = setup_of(4, 2048, 8, sequence);
    t.recompute = recompute;
    return static_cast<double>(layer_activation_bytes(t, m, 0));
  };
  const double plain = bytes(false, "none");
  EXPECT_NEAR(100 * bytes(true, "none") / plain, 66.84, 0.15);
  EXPECT_NEAR(100 * bytes(false, "selective") / plain, 49.42, 0.15);
  EXPECT_NEAR(100 * bytes(true, "selective") / plain, 16.18, 0.15);
  EXPECT_NEAR(100 * bytes(false, "full") / plain, 7.64, 0.15);
}

// Inputs of two norms, of the products and of the MLP, queries and result (12 h), keys and values (4 k/a h), gate, up
// and their product (6 f).
TEST(training, activations_of_a_llama_layer) {
  for (const char* name : {"llama-65b", "llama-3.1-70b", "llama-3.1-8b"}) {
    const auto m = load_model(name);
    const std::int64_t tokens = 2 * 4096;
    EXPECT_EQ(layer_activation_bytes(setup_of(2, 4096), m, 3),
              tokens * (12 * m.hidden + 4 * m.kv_heads * m.head_dim + 6 * m.ffn))
        << name;
    // Eight inputs of norms and products stay whole on each of the devices that share a layer.
    EXPECT_EQ(layer_activation_bytes(setup_of(2, 4096, 4), m, 3),
              tokens * (8 * m.hidden +
                        (4 * m.hidden + 4 * std::max<std::int64_t>(4, m.kv_heads) * m.head_dim + 6 * m.ffn) / 4))
        << name;
  }
}

// What --recompute selective keeps of every second product: of queries, keys, values and output two results, one as
// wide as the queries and one as the keys; of gate, up and down two, one of f and one of h; and attention's result. Of
// two bytes each, with the layer's input: 2 (h + q + kv + q + f + h). Over t devices inputs and the MLP's result stay
// whole.
TEST(training, every_second_product_is_kept_when_products_are_computed_again) {
  const auto m = load_model("llama-3.1-8b");
  const std::int64_t h = 4096, q = 32 * 128, kv = 8 * 128, f = 14336, tokens = 2 * 4096;
  for (const std::int64_t t : {1, 4}) {
    auto setup = setup_of(2, 4096, t);
    setup.recompute = "selective";
    setup.selective = "products";
    EXPECT_EQ(layer_activation_bytes(setup, m, 3), tokens * (4 * h + 2 * (2 * q + kv + f) / t)) << t;
  }
}

// Latents instead of keys and values: before and after their norms and the keys' rotated part, whole on each device;
// queries and keys of 128 + 64 numbers a head, values and results of 128, shared. The first layers have one plain MLP.
TEST(training, activations_of_a_layer_with_latents) {
  const auto m = load_model("deepseek-v3");
  const std::int64_t h = 7168, f = 18432, tokens = 2 * 4096;
  const std::int64_t whole = 8 * h + 2 * (2 * (1536 + 512) + 64), cut = 128 * 2 * (2 * (128 + 64) + 2 * 128) + 6 * f;
  EXPECT_EQ(layer_activation_bytes(setup_of(2, 4096), m, 0), tokens * (whole + cut));
  EXPECT_EQ(layer_activation_bytes(setup_of(2, 4096, 4), m, 0), tokens * (whole + cut / 4));
}

// Two experts of eight a token: their rows there and back (4 h each), three products of each; scores of the router in
// 32 bits. A shared expert is one more.
TEST(training, activations_of_a_layer_with_experts) {
  const auto m = load_model("mixtral-8x7b");
  const std::int64_t h = 4096, f = 14336, kv = 8 * 128, tokens = 2 * 4096;
  EXPECT_EQ(layer_activation_bytes(setup_of(2, 4096), m, 3),
            tokens * (12 * h + 4 * kv + 4 * 8 + 2 * 4 * h + 2 * 6 * f));
  const auto d = load_model("deepseek-v3");
  const std::int64_t attention = 2 * (2 * (1536 + 512) + 64) + 128 * 2 * (2 * (128 + 64) + 2 * 128);
  EXPECT_EQ(layer_activation_bytes(setup_of(2, 4096), d, 3),
            tokens * (8 * 7168 + attention + 4 * 256 + 8 * 4 * 7168 + (8 + 1) * 6 * 2048));
}

// Norms behind attention and MLP keep their inputs, too (4 h). Eager kernels keep the inputs of both norms in 32 bits
// instead of 16 and what their gain multiplies (8 h), and the activation's result (2 f).
TEST(training, activations_of_other_norms_and_kernels) {
  const std::int64_t tokens = 2 * 4096;
  const auto plain = [](const model& m) { return 12 * m.hidden + 4 * m.kv_heads * m.head_dim + 6 * m.ffn; };
  const auto g = load_model("gemma-2-2b");
  const std::int64_t rows = g.heads * g.head_dim;  // not the hidden size
  EXPECT_EQ(layer_activation_bytes(setup_of(2, 4096), g, 3),
            tokens * (plain(g) - 4 * g.hidden + 4 * rows + 4 * g.hidden));
  const auto l = load_model("llama-3.1-8b");
  auto eager = setup_of(2, 4096);
  eager.kernels = "eager";
  EXPECT_EQ(layer_activation_bytes(eager, l, 3), tokens * (plain(l) + 8 * l.hidden + 2 * l.ffn));
}

// Two KV heads on eight devices are eight.
TEST(training, kv_heads_are_copied_not_cut) {
  const auto m = parse_model(R"({"model_type":"llama","hidden_size":512,"num_hidden_layers":2,"num_attention_heads":16,
                                 "num_key_value_heads":2,"intermediate_size":1024,"vocab_size":1024})",
                             "f", "f");
  EXPECT_EQ(layer_activation_bytes(setup_of(1, 64, 8), m, 0),
            64 * (8 * 512 + (2 * 2 * 512 + 2 * 2 * 8 * 32 + 6 * 1024) / 8));
  const auto memory = training_memory(setup_of(1, 64, 8), m);
  // Two query heads, a key and a value head of 32 rows; output, MLP and tables an eighth, norms whole.
  const std::int64_t layer = 4 * 32 * 512 + 512 * 512 / 8 + 3 * 512 * 1024 / 8 + 2 * 512;
  EXPECT_EQ(memory[0].of("weights"), 2 * (2 * layer + 2 * 1024 * 512 / 8 + 512));
}

// Bytes a parameter: 18 with gradients and main weights in 32 bits; 16 with gradients in 16; shards over N replicas.
TEST(training, states_of_the_optimizer) {
  const auto m = load_model("llama-7b");
  const std::int64_t p = parameter_count(m);
  const auto states = [&](const char* sharding, const char* gradients) {
    training_setup t;
    t.devices = t.batch = 4;
    t.length = 16;
    t.sharding = sharding;
    t.gradients = gradients;
    const auto memory = training_memory(t, m)[0];
    return memory.of("weights") + memory.of("gradients") + memory.of("main") + memory.of("optimizer");
  };
  EXPECT_EQ(states("none", "fp32"), 18 * p);
  EXPECT_EQ(states("zero1", "fp32"), 6 * p + 12 * p / 4);
  EXPECT_EQ(states("zero2", "fp32"), 2 * p + 16 * p / 4);
  EXPECT_EQ(states("zero3", "fp32"), 18 * p / 4);
  EXPECT_EQ(states("none", "bf16+fp32"), 20 * p);
  training_setup t;
  t.length = 16;
  t.main_weights = "none";
  t.states = t.gradients = "bf16";
  t.batch = 2;  // two micro-batches: gradients are added up in a buffer
  const auto all16 = training_memory(t, m)[0];
  EXPECT_EQ(all16.of("weights") + all16.of("gradients") + all16.of("optimizer"), 8 * p);
  t.optimizer = "sgd";
  EXPECT_EQ(training_memory(t, m)[0].of("optimizer"), 0);
}

// Megatron-LM's own account: a stage keeps min(micro-batches, stages left) of them; interleaving multiplies by
// 1 + (p - 1) / (p v); 8 bytes a token and the mask of the embedding for each in flight; 4 s b h of the output.
TEST(training, micro_batches_in_flight) {
  const auto m = gpt(16, 1024, 16, 50000, 1024);
  auto t = setup_of(2, 1024);
  t.devices = t.pipeline = 4;
  t.batch = 2 * 12;
  const std::int64_t layer = layer_activation_bytes(t, m, 0), embedding = 2 * 1024 * (8 + 1024);
  auto memory = training_memory(t, m);
  ASSERT_EQ(memory.size(), 4u);
  for (std::int64_t stage = 0; stage < 4; ++stage)
    EXPECT_EQ(memory[stage].of("activations"),
              (4 - stage) * (4 * layer + (stage == 0 ? embedding : 0)) + (stage == 3 ? 4 * 2 * 1024 * 1024 : 0));
  EXPECT_EQ(memory[3].of("logits"), 2 * 2 * 1024 * 50000);
  EXPECT_EQ(memory[3].of("loss"), 3 * 4 * 2 * 1024 * 50000);
  t.chunks = 2;  // 4 (1 + 3/8) = 5.5 micro-batches
  EXPECT_EQ(training_memory(t, m)[0].of("activations"), 11 * (4 * layer + embedding) / 2);
  t.chunks = 1;
  t.batch = 2 * 3;  // fewer than stages
  EXPECT_EQ(training_memory(t, m)[0].of("activations"), 3 * (4 * layer + embedding));
  t.schedule = "gpipe";
  t.batch = 2 * 12;
  EXPECT_EQ(training_memory(t, m)[3].of("activations"), 12 * 4 * layer + 4 * 2 * 1024 * 1024);
}

TEST(training, layers_that_do_not_divide_go_to_the_middle) {
  const auto m = gpt(22, 64, 4, 100, 64);
  auto t = setup_of(1, 64);
  t.devices = t.pipeline = 8;
  const auto memory = training_memory(t, m);
  const std::int64_t layer = 2 * (12 * 64 * 64 + 13 * 64);
  EXPECT_EQ(memory[0].of("weights"), 2 * layer + 2 * (100 + 64) * 64);
  for (int stage = 1; stage < 7; ++stage) EXPECT_EQ(memory[stage].of("weights"), 3 * layer);
  EXPECT_EQ(memory[7].of("weights"), 2 * layer + 2 * (100 * 64 + 2 * 64));  // a copy of the tied table
}

TEST(training, experts_are_shared_by_expert_parallelism) {
  const auto m = load_model("mixtral-8x7b");
  training_setup t;
  t.devices = t.batch = 8;
  t.length = 512;
  const auto whole = training_memory(t, m)[0];
  t.expert = 8;
  const auto cut = training_memory(t, m)[0];
  const std::int64_t experts = 32 * std::int64_t{8} * 3 * 4096 * 14336;
  EXPECT_EQ(whole.of("weights") - cut.of("weights"), 2 * experts * 7 / 8);
  // Two norm inputs, products' input, queries, result, MLP input (12 h), keys and values, router (4 bytes an expert),
  // two rows out and two back, two experts' MLPs.
  EXPECT_EQ(layer_activation_bytes(t, m, 0), 512 * (12 * 4096 + 4 * 8 * 128 + 4 * 8 + 2 * 4 * 4096 + 2 * 6 * 14336));
}

// The number of replicas follows from the devices, or is told; then it must be theirs.
TEST(training, what_is_expected_of_devices_is_said) {
  const auto m = load_model("llama-7b");
  const auto message = [&](std::int64_t tensor, std::int64_t data) -> std::string {
    training_setup t;
    t.devices = t.batch = 8;
    t.tensor = tensor;
    t.data = data;
    try {
      check(t, m);
    } catch (const input_error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_EQ(message(2, 4), "none");
  EXPECT_EQ(message(2, 0), "none");
  EXPECT_THAT(message(1, 1), testing::HasSubstr("8 devices are not tensor 1 x pipeline 1 x context 1 x data 1"));
  EXPECT_THAT(message(1, 1), testing::HasSubstr("expected 1 of them, or train.data=0"));
  EXPECT_THAT(message(4, 4), testing::HasSubstr("expected 16 of them, or train.data=0"));
  EXPECT_THAT(message(16, 0), testing::HasSubstr("8 devices are not shared evenly by tensor 16 x pipeline 1"));
  EXPECT_THAT(message(16, 0), testing::HasSubstr("expected a multiple of 16"));
}

// A block of GPT has 12 h^2 + 13 h parameters of two bytes; embeddings and the last norm belong to none.
TEST(training, weights_of_the_blocks) {
  EXPECT_EQ(block_weight_bytes(gpt(3, 64, 4, 100, 64)), 3 * 2 * (12 * 64 * 64 + 13 * 64));
}

TEST(training, contradictions_are_refused) {
  const auto m = load_model("llama-7b");
  const auto refused = [&](auto&& change) {
    training_setup t;
    t.devices = t.batch = 8;
    change(t);
    EXPECT_THROW(training_memory(t, m), input_error);
  };
  refused([](training_setup& t) { t.tensor = 3; });
  refused([](training_setup& t) { t.data = 4; });
  refused([](training_setup& t) { t.batch = 12; });
  refused([](training_setup& t) { t.tensor = t.devices = 64; });
  refused([](training_setup& t) { t.pipeline = t.devices = 64; });
  refused([](training_setup& t) { t.context = 8, t.length = 2047; });
  refused([](training_setup& t) { t.expert = 2; });
  refused([](training_setup& t) { t.pipeline = 8, t.chunks = 5; });
}

struct row {
  std::string name;
  double measured = 0, reckoned = 0;
  double error() const { return std::fabs(reckoned / measured - 1); }
};

std::vector<std::string> cells_of(const std::string& line, char separator) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, separator);) out.push_back(cell);
  return out;
}

row reckon(const std::vector<std::string>& c) {
  const auto shape = cells_of(c[1], '/');
  const bool gpt_form = shape[0] == "gpt2";
  std::string file =
      "{\"model_type\":\"" + shape[0] + "\",\"num_hidden_layers\":" + shape[1] + ",\"hidden_size\":" + shape[2] +
      ",\"num_attention_heads\":" + shape[4] + ",\"vocab_size\":" + shape[6] +
      ",\"tie_word_embeddings\":" + (shape[7] == "1" ? "true" : "false") + ",\"max_position_embeddings\":" + c[5];
  file += gpt_form ? ",\"n_inner\":" + shape[3] + "}"
                   : ",\"intermediate_size\":" + shape[3] + ",\"num_key_value_heads\":" + shape[5] + "}";
  config::node tree = config::node::map("train");
  for (const auto& pair : cells_of(c[9], ' '))
    if (const auto equal = pair.find('='); equal != std::string::npos)
      tree.set(pair.substr(0, equal), pair.substr(equal + 1), "train");
  training_setup t = training_table().read(tree);
  t.devices = std::stoll(c[2]);
  t.batch = std::stoll(c[3]);
  t.micro_batch = std::stoll(c[4]);
  t.length = std::stoll(c[5]);
  t.optimizer = c[6];
  t.recompute = c[7];
  t.sharding = c[8];
  const double unit = c[11] == "GiB" ? 1073741824.0 : 1e9;
  row out{c[0], std::stod(c[10]) * unit, 0};
  for (const auto& s : training_memory(t, parse_model(file, c[0], c[0])))
    out.reckoned = std::max(out.reckoned, static_cast<double>(s.peak()));
  return out;
}

TEST(training, measured_peaks) {
  std::ifstream in(MEMWALL_SOURCE_DIR "/tests/models/training_peaks.csv");
  std::vector<double> errors;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const row r = reckon(cells_of(line, ','));
    EXPECT_LT(r.error(), 0.15) << r.name << ": " << r.reckoned / 1e9 << " GB, measured " << r.measured / 1e9;
    errors.push_back(r.error());
  }
  ASSERT_GE(errors.size(), 20u);
  std::sort(errors.begin(), errors.end());
  EXPECT_LT(errors[errors.size() / 2], 0.06);
  EXPECT_LT(errors[errors.size() * 9 / 10], 0.15);
}

}  // namespace
}  // namespace memwall
