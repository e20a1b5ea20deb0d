// SPDX-License-Identifier: Apache-2.0
// Values through a fabric that stalls at random: requests forwarded late, ends of requests and responses withheld.
// Times change, values do not.
#include <gtest/gtest.h>

#include <fstream>

#include "platforms/build/hardware.h"
#include "platforms/build/system.h"
#include "platforms/execute/run.h"
#include "platforms/values/inference.h"
#include "platforms/values/payload.h"
#include "tests/support/stall_injector.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using namespace memwall::platforms;

namespace {

/// A link that delays at random: `seed`.
class stalling_link final : public hardware {
 public:
  stalling_link(const module_description& d, unsigned seed)
      : hardware(d), m_seed(seed), m_stalls(d.name.c_str(), seed, 30'000) {}
  tlm::tlm_initiator_socket<>* initiator() override { return &m_stalls.to_target; }
  tlm::tlm_target_socket<>* target() override { return &m_stalls.from_initiator; }
  json config() const override { return {{"seed", m_seed}}; }
  json report(ps_t) const override { return {{"name", name()}}; }
  double energy_pj(ps_t) const override { return 0; }

 private:
  unsigned m_seed;
  stall_injector m_stalls;
};

const hardware_entry entry{
    "stalling_link",
    "delays at random",
    {[](const module_description& d, build_context&, problem_list&) -> std::unique_ptr<hardware> {
       return std::make_unique<stalling_link>(d, static_cast<unsigned>(std::stoi(d.tree.find("seed")->text())));
     },
     [] { return std::vector<param_info>{}; }}};

struct setup {
  const char *platform, *connections, *types, *transfer_bytes, *config;
  int seed;
};
void PrintTo(const setup& s, std::ostream* out) {
  *out << s.platform << ' ' << s.transfer_bytes << ' ' << s.seed;
}

const char* const accelerator = "[cim, fabric], [behind, mem]";
const char* const card =
    "[gpu, fabric], [behind, hbm], [fabric, pcie], [pcie, host_bus], [cpu, host_bus], [host_bus, host_mem]";
const char* const llama =
    R"({"model_type":"llama","hidden_size":24,"intermediate_size":40,"num_hidden_layers":2,"num_attention_heads":4,)"
    R"("num_key_value_heads":2,"head_dim":6,"vocab_size":50,"rms_norm_eps":1e-5,"max_position_embeddings":64})";
const char* const gpt2 = R"({"model_type":"gpt2","n_embd":24,"n_layer":2,"n_head":4,"vocab_size":50,"n_positions":64})";

const char* const mixture =
    R"({"model_type":"gpt_oss","num_local_experts":4,"num_experts_per_tok":2,"intermediate_size":20,"sliding_window":3,)"
    R"("hidden_size":24,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":6,"vocab_size":50,"max_position_embeddings":64})";
const char* const latents =
    R"({"model_type":"deepseek_v3","hidden_size":24,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":4,)"
    R"("q_lora_rank":10,"kv_lora_rank":8,"qk_nope_head_dim":6,"qk_rope_head_dim":4,"v_head_dim":5,"vocab_size":50,)"
    R"("first_k_dense_replace":1,"n_routed_experts":8,"n_shared_experts":1,"num_experts_per_tok":2,"moe_intermediate_size":20,)"
    R"("n_group":4,"topk_group":2,"max_position_embeddings":64})";

class payload_stalls : public testing::TestWithParam<setup> {};

}  // namespace

TEST_P(payload_stalls, values_stay_to_the_bit) {
  const setup& s = GetParam();
  const test::temp_dir dir;
  std::ofstream(dir / "config.json") << s.config;
  // The link stands between the fabric and a second one before the memory.
  std::ofstream(dir / "stalls.yaml") << "base: " << s.platform
                                     << "\nmodules:\n  stalls: {type: stalling_link, seed: " << s.seed
                                     << "}\n  behind: {type: bus, width: 64 B, clock: 1 GHz}\nconnect: ["
                                     << s.connections << ", [fabric, stalls], [stalls, behind]]\n";
  const model shape = load_model(dir.path());
  const numerics n = read_numerics(shape);
  const std::shared_ptr<const weight_source> weights = draw_weights(shape, 5);
  const auto p = load_platform(dir / "stalls.yaml");
  value_settings settings;
  settings.types = dtypes::parse(s.types);
  const std::vector<std::int32_t> prompt{3, 14, 15};
  const auto w = workload_for(settings.types, 3, 3);
  machine direct(shape, n, *weights, &p, settings), carried(shape, n, *weights, &p, settings);
  const generated expected = generate_tokens(direct, shape, w, prompt, 3);

  std::vector<std::int32_t> tokens = prompt;
  tokens.insert(tokens.end(), expected.tokens.begin(), expected.tokens.end());
  payload_run payload(carried, shape, w, tokens, direct.routes());
  run_options o;
  o.platform = keep_bytes(p);
  o.version = "test";
  o.command = "test";
  o.transfer_bytes = s.transfer_bytes;
  o.source = [&] { return payload.source(); };
  const json result = run(o, [&](platforms::system& hw, const placement& where) { payload.attach(hw, where); }).result;
  EXPECT_GT(result.at("stall_stack_ns").at("link").get<double>(), 0) << "nothing was delayed";
  EXPECT_GT(payload.found().bytes_read, 0);
  EXPECT_EQ(payload.found().tokens, expected.tokens);
  EXPECT_EQ(payload.found().logits, expected.logits);
}

INSTANTIATE_TEST_SUITE_P(platforms, payload_stalls,
                         testing::Values(setup{"cim_sram", accelerator, "int8/fp16/fp16", "auto", llama, 1},
                                         setup{"cim_sram", accelerator, "int8/fp16/fp16", "burst", llama, 2},
                                         setup{"cim_sram", accelerator, "int8/fp16/fp16", "burst", gpt2, 3},
                                         setup{"cim_analog", accelerator, "int8/fp16/fp16", "burst", llama, 4},
                                         setup{"von_neumann_h100", card, "fp16", "auto", llama, 5},
                                         setup{"von_neumann_h100", card, "fp16", "burst", llama, 6},
                                         setup{"von_neumann_h100", card, "fp16", "burst", gpt2, 7},
                                         setup{"von_neumann_h100", card, "fp16", "burst", mixture, 8},
                                         setup{"cim_sram", accelerator, "int8/fp16/fp16", "auto", mixture, 9},
                                         setup{"von_neumann_h100", card, "fp16", "burst", latents, 10},
                                         setup{"cim_sram", accelerator, "int8/fp16/fp16", "burst", latents, 11}));
