// SPDX-License-Identifier: Apache-2.0
// The carried measurements: whole, split by the stated rule, and every one of them has a platform to run on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "hw/common/error.h"
#include "models/dtype.h"
#include "platforms/describe/description.h"
#include "tests/support/temp_dir.h"
#include "tools/kernel_trace.h"
#include "tools/validation_data.h"
#include "traces/file.h"

namespace memwall::tools {
namespace {

const validation_data& data() {
  static const validation_data d;
  return d;
}

// A product has two operations a multiply-accumulate; its operands are read and its result written once.
TEST(validation_data, a_timed_product_has_its_operations_and_bytes) {
  kernel_row row;
  row.id = "K";
  row.m = 3;
  row.k = 16;
  row.n = 64;
  row.dtype = "fp8";
  const test::temp_dir dir;
  write_kernel_trace({&row}, dir / "t.mwtrace");
  const auto in = trace::read_file(dir / "t.mwtrace");
  int found = 0;
  for (trace::op o; in->next(o);) {
    if (o.name != "K") continue;
    ++found;
    EXPECT_EQ(o.matmul_flops, 2 * 3 * 16 * 64);
    EXPECT_EQ(o.bytes(in->header().tensors, trace::tensor_class::weights, trace::access::read), 16 * 64);
    EXPECT_EQ(o.bytes(in->header().tensors, trace::tensor_class::activations, trace::access::read), 3 * 16);
    EXPECT_EQ(o.bytes(in->header().tensors, trace::tensor_class::activations, trace::access::write), 2 * 3 * 64);
  }
  EXPECT_EQ(found, 1);
}

// Six tokens go to two of four experts: twelve rows up (8 x 2 values of 16), activated, down, summed to six again. All
// four are touched, as is usual: 4 (1 - (1 - 2/4)^6) = 3.94.
TEST(validation_data, a_timed_layer_of_experts_is_chosen_multiplied_and_summed) {
  expert_row row;
  row.id = "E";
  row.tokens = 6;
  row.experts = 4;
  row.choices = 2;
  row.hidden = 16;
  row.ffn = 8;
  row.dtype = "bf16";
  const test::temp_dir dir;
  write_expert_trace({&row}, dir / "t.mwtrace");
  const auto in = trace::read_file(dir / "t.mwtrace");
  std::vector<std::string> names;
  std::map<std::string, trace::op> found;
  for (trace::op o; in->next(o);) {
    names.push_back(o.name);
    found[o.name] = o;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"flush.E.choose", "E.choose", "E.up", "E.act", "E.down", "E.sum"}));
  const auto bytes = [&](const char* name, trace::tensor_class c, trace::access a) {
    return found.at(name).bytes(in->header().tensors, c, a);
  };
  using trace::access;
  using trace::tensor_class;
  EXPECT_EQ(found.at("E.up").matmul_flops, 2 * 12 * 16 * 16);
  EXPECT_EQ(bytes("E.up", tensor_class::weights, access::read), 4 * 2 * 16 * 16);
  EXPECT_EQ(bytes("E.up", tensor_class::activations, access::read), 6 * 2 * 16);
  EXPECT_EQ(bytes("E.act", tensor_class::activations, access::read), 12 * 2 * 16);
  EXPECT_EQ(found.at("E.down").matmul_flops, 2 * 12 * 8 * 16);
  EXPECT_EQ(bytes("E.down", tensor_class::weights, access::read), 4 * 2 * 8 * 16);
  EXPECT_EQ(bytes("E.sum", tensor_class::activations, access::read), 12 * 2 * 16);
  EXPECT_EQ(bytes("E.sum", tensor_class::activations, access::write), 6 * 2 * 16);
  for (const char* product : {"E.up", "E.down"}) {
    EXPECT_EQ(found.at(product).kind, trace::op_kind::expert_gemm);
    EXPECT_EQ(found.at(product).choices, 2);
    EXPECT_EQ(found.at(product).group_rows, found.at("E.up").group_rows);
  }
}

// Of 16 experts T tokens that choose two each touch 16 (1 - (1 - 2/16)^T) on average: the choice that is timed touches
// the nearest whole number of them.
TEST(validation_data, a_timed_choice_of_experts_is_a_usual_one) {
  const test::temp_dir dir;
  expert_row row;
  row.experts = 16;
  row.choices = 2;
  row.dtype = "bf16";
  for (row.tokens = 2; row.tokens <= 16; ++row.tokens) {
    write_expert_trace({&row}, dir / "t.mwtrace");
    const auto in = trace::read_file(dir / "t.mwtrace");
    const double usual = 16 * (1 - std::pow(1 - 2.0 / 16, static_cast<double>(row.tokens)));
    for (trace::op o; in->next(o);) {
      if (o.kind != trace::op_kind::expert_gemm) continue;
      EXPECT_NEAR(static_cast<double>(o.group_rows.size()), usual, 0.5) << row.tokens << " tokens";
    }
  }
}

// Llama-2-7B: 32 layers. Of ten sequences two have prompts of 300, eight get a token at 700 positions: 608 rows through
// the products, ten through the lm_head, one pass.
TEST(validation_data, a_step_of_a_server_computes_prompts_beside_tokens) {
  energy_row row;
  row.id = "E";
  row.model = "llama-2-7b";
  row.dtype = "fp16";
  row.batch = 10;
  row.prompt = 300;
  row.context = 700;
  const test::temp_dir dir;
  write_step_trace(row, 2, dir / "t.mwtrace");
  const auto in = trace::read_file(dir / "t.mwtrace");
  std::int64_t tokens = 0, prompts = 0;
  for (trace::op o; in->next(o);) {
    EXPECT_EQ(o.phase, trace::phase::prefill) << o.name;
    if (trace::is_gemm(o.kind)) {
      EXPECT_EQ(o.m, o.kind == trace::op_kind::lm_head ? 10 : 608) << o.name;
    }
    if (o.kind != trace::op_kind::attention) continue;
    (o.m == 1 ? tokens : prompts) += 1;
    EXPECT_EQ(o.m, o.m == 1 ? 1 : 300);
    EXPECT_EQ(o.batch, o.m == 1 ? 8 : 1);
    EXPECT_EQ(o.n, o.m == 1 ? 700 : 300);
    // Of keys and values, 2 x 4096 of 2 bytes each position.
    EXPECT_EQ(o.bytes(in->header().tensors, trace::tensor_class::kv_cache, trace::access::read),
              (o.m == 1 ? 8 * 700 : 300) * 2 * 4096 * 2);
  }
  EXPECT_EQ(tokens, 32);
  EXPECT_EQ(prompts, 2 * 32);
}

// 100 sequences of 40 tokens each need 100 / 40 = 2.5 prompts a step; 30 of them 0.75; 80 exactly two.
TEST(validation_data, steps_compute_as_many_prompts_as_sequences_end) {
  energy_row row;
  row.prompt = 512;
  row.generated = 40;
  const auto steps = [&row](std::int64_t batch) {
    row.batch = batch;
    return row.steps();
  };
  EXPECT_EQ(steps(100), (std::map<std::int64_t, double>{{2, 0.5}, {3, 0.5}}));
  EXPECT_EQ(steps(30), (std::map<std::int64_t, double>{{0, 0.25}, {1, 0.75}}));
  EXPECT_EQ(steps(80), (std::map<std::int64_t, double>{{2, 1.0}}));
  row.prompt = 0;
  EXPECT_EQ(steps(100), (std::map<std::int64_t, double>{{0, 1.0}}));
}

TEST(validation_data, ids_are_unique_and_every_row_says_where_it_comes_from) {
  std::set<std::string> ids;
  for (const auto& r : data().rows()) {
    EXPECT_TRUE(ids.insert(r.id).second) << r.id;
    EXPECT_FALSE(r.source.empty()) << r.id;
    const bool npu = r.category.rfind("npu ", 0) == 0 ||
                     r.category.rfind("rack ", 0) == 0;  // V: read in the source, D: derived from that by arithmetic
    EXPECT_TRUE(npu ? r.trust == "V" || r.trust == "D" : r.trust == "A") << r.id << ": " << r.trust;
    EXPECT_TRUE(r.set == "core" || r.set == "more") << r.id;
    EXPECT_TRUE(r.metric == "fits" || r.value > 0) << r.id;
    EXPECT_NO_THROW(dtypes::parse(r.dtype)) << r.id;
    EXPECT_TRUE(r.prompt > 0 || r.context > 0) << r.id;
  }
  for (const auto& k : data().kernels()) {
    EXPECT_TRUE(ids.insert(k.id).second) << k.id;
    EXPECT_FALSE(k.source.empty()) << k.id;
    EXPECT_GT(k.time_us, 0) << k.id;
    EXPECT_GE(std::min({k.m, k.n, k.k}), 1) << k.id;
  }
  for (const auto& r : data().energy()) {
    EXPECT_TRUE(ids.insert(r.id).second) << r.id;
    EXPECT_FALSE(r.source.empty()) << r.id;
    EXPECT_GT(std::min({r.token_ms, r.watts, r.joules_per_token}), 0) << r.id;
    EXPECT_EQ(r.kind, kind_of(r.id)) << r.id;
    EXPECT_NO_THROW(data().step_of(r)) << r.id;
    // What all boards draw over a step is what its tokens took, since the step is the mean one, prompts included. (The
    // first runs of eager code were metered over another time than their tokens were.)
    const double joules =
        r.watts * static_cast<double>(data().boards(r.hardware)) * r.token_ms * 1e-3 / static_cast<double>(r.batch);
    EXPECT_NEAR(r.joules_per_token / joules, 1, r.prompt > 0 ? 0.01 : 0.1) << r.id;
  }
  for (const auto& r : data().attention()) {
    EXPECT_TRUE(ids.insert(r.id).second) << r.id;
    EXPECT_FALSE(r.source.empty()) << r.id;
    EXPECT_GT(r.time_us, 0) << r.id;
    EXPECT_EQ(r.heads % r.kv_heads, 0) << r.id;
  }
  for (const auto& r : data().experts()) {
    EXPECT_TRUE(ids.insert(r.id).second) << r.id;
    EXPECT_FALSE(r.source.empty()) << r.id;
    EXPECT_GT(r.time_us, 0) << r.id;
    EXPECT_LE(r.choices, r.experts) << r.id;
    EXPECT_TRUE(r.tiles == "tuned" || r.tiles == "rule") << r.id;
    // A step's time was fitted on the first, what lies between router and products on single rows.
    const bool fitted = r.dtype == "fp8" || r.tokens == 1;
    EXPECT_EQ(r.kind, fitted ? "calibration" : "validation") << r.id;
  }
  for (const auto& c : data().collectives()) {
    EXPECT_TRUE(ids.insert(c.id).second) << c.id;
    EXPECT_FALSE(c.source.empty()) << c.id;
    EXPECT_GT(c.time_us, 0) << c.id;
    EXPECT_GT(c.bytes, 0) << c.id;
    EXPECT_EQ(c.kind, c.hardware.front() == '4' ? "calibration" : "validation") << c.id << ": fitted on four devices";
  }
}

// FNV-1a of "a": (2166136261 xor 97) * 16777619 mod 2^32 = 3826002220 = 0xE40C292C; >> 8 = 14945321 = 6 * 2490886 + 5.
// Of the empty text: 2166136261 >> 8 = 8461469 = 6 * 1410244 + 5.
TEST(validation_data, the_rule_that_sets_rows_aside) {
  EXPECT_EQ(kind_of("a"), "validation");
  EXPECT_EQ(kind_of(""), "validation");
}

// NPUs are few rows each: one model of each family calibrates it (of XDNA2, two contexts), all others validate.
bool calibrates_an_npu(const measured_row& r) {
  static const std::pair<const char*, const char*> rule[] = {{"Rockchip RK3588", "tinyllama-1.1b"},
                                                             {"Rockchip RK3576", "tinyllama-1.1b"},
                                                             {"Snapdragon 8 Elite Hexagon", "llama-3.2-3b"},
                                                             {"inf2.48xlarge", "llama-2-7b"},
                                                             {"trn1.32xlarge", "llama-2-7b"},
                                                             {"Tenstorrent n150", "llama-3.1-8b"},
                                                             {"Gaudi2", "llama-2-7b"},
                                                             {"4x Gaudi2", "llama-2-7b"},
                                                             {"SN40L-8", "llama-3.1-8b"}};
  for (const auto& [hardware, model] : rule)
    if (r.hardware == hardware && r.model == model) return true;
  return r.hardware == "AMD Ryzen AI 5 340 XDNA2" && (r.context == 1024 || r.context == 32768);
}

TEST(validation_data, at_most_a_fifth_is_calibration_by_the_rule_and_no_other) {
  std::size_t calibration = 0;
  for (const auto& r : data().rows()) {
    const bool npu = r.category.rfind("npu ", 0) == 0, rack = r.category.rfind("rack ", 0) == 0;
    const bool calibrates = npu ? calibrates_an_npu(r) : r.id == "RACK0054";
    EXPECT_EQ(r.kind, npu || rack ? (calibrates ? "calibration" : "validation") : kind_of(r.id)) << r.id;
    calibration += r.kind == "calibration" ? 1 : 0;
  }
  EXPECT_LE(5 * calibration, data().rows().size());
  calibration = 0;
  for (const auto& k : data().kernels()) {
    EXPECT_EQ(k.kind, kind_of(k.id)) << k.id;
    calibration += k.kind == "calibration" ? 1 : 0;
  }
  EXPECT_LE(5 * calibration, data().kernels().size());
  calibration = 0;
  for (const auto& r : data().attention()) {
    EXPECT_EQ(r.kind, kind_of(r.id)) << r.id;
    calibration += r.kind == "calibration" ? 1 : 0;
  }
  EXPECT_LE(5 * calibration, data().attention().size());
}

TEST(validation_data, every_row_has_a_platform_that_loads) {
  std::set<run_words> tried;
  for (const auto& r : data().rows()) {
    ASSERT_NO_THROW(data().runs_of(r)) << r.id;
    const auto s = data().setup_of(r);
    run_words key = s.sets;
    key.push_back(s.platform);
    if (tried.insert(key).second) {
      EXPECT_NO_THROW(platforms::load_platform(s.platform, s.sets)) << r.id << " on " << s.platform;
    }
  }
  for (const auto& k : data().kernels()) {
    const auto s = data().setup_of(k);
    run_words key = s.sets;
    key.push_back(s.platform);
    if (tried.insert(key).second) {
      EXPECT_NO_THROW(platforms::load_platform(s.platform, s.sets)) << k.id;
    }
  }
  EXPECT_NE(data().setup_of(data().kernels().front()).sets, data().setup_of(data().kernels().back()).sets)
      << "products of bytes are another library's";
  for (const auto& r : data().attention()) {
    const auto s = data().setup_of(r);
    EXPECT_NO_THROW(platforms::load_platform(s.platform, s.sets)) << r.id;
  }
  for (const auto& r : data().experts()) {
    const auto s = data().setup_of(r);
    EXPECT_NO_THROW(platforms::load_platform(s.platform, s.sets)) << r.id;
    const bool untuned = std::count(s.sets.begin(), s.sets.end(), "software=vllm_2025_untuned") == 1;
    EXPECT_EQ(untuned, r.tiles == "rule") << r.id;
  }
  expert_row other = data().experts().front();
  other.tiles = "guessed";
  EXPECT_THROW(data().setup_of(other), input_error);
  for (const auto& c : data().collectives()) EXPECT_NO_THROW(data().setup_of_kernels(c.hardware)) << c.id;
}

TEST(validation_data, what_a_boards_meter_sees) {
  for (const char* part : {"gpu.l2", "gpu3.clocks", "hbm.read", "hbm1.io", "fabric", "nvlink_up0"})
    EXPECT_TRUE(data().on_a_board(part)) << part;
  for (const char* part : {"cpu", "host_mem.read", "host_bus", "pcie", "pcie2", "nvswitch", "gpuless"})
    EXPECT_FALSE(data().on_a_board(part)) << part;
  EXPECT_EQ(data().boards("4x H100 SXM"), 4);
  EXPECT_EQ(data().boards("B200"), 1);
}

TEST(validation_data, values_follow_from_the_times_of_the_runs) {
  measured_row r;
  r.batch = 4;
  r.prompt = 100;
  r.generated = 11;
  const auto value = [&](const char* metric) {
    r.metric = metric;
    return validation_data::value_of(r, 0.5, 0.02);  // prefill 0.5 s, a decode step 20 ms
  };
  EXPECT_DOUBLE_EQ(value("decode_tokens_per_s"), 4 / 0.02);
  EXPECT_DOUBLE_EQ(value("prefill_tokens_per_s"), 400 / 0.5);
  EXPECT_DOUBLE_EQ(value("first_token_ms"), 500);
  EXPECT_DOUBLE_EQ(value("token_ms"), 20);
  EXPECT_DOUBLE_EQ(value("token_ms_per_sequence"), 5);
  EXPECT_DOUBLE_EQ(value("total_ms"), 500 + 10 * 20);  // the prompt's pass makes the first of the 11 tokens
  EXPECT_DOUBLE_EQ(value("generated_tokens_per_s"), 44 / 0.7);
  EXPECT_THROW(value("furlongs"), input_error);
}

TEST(validation_data, defects_are_named_with_file_and_line) {
  const std::string dir = testing::TempDir();
  const std::string header =
      "id,category,hardware,model,dtype,batch,prompt,context,generated,chunk,reserve_mib,metric,value,unit,software,"
      "source,trust,kind,set\n";
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(dir + name) << text;
    return dir + name;
  };
  const auto kernels = write("kernels.csv", "id,hardware,m,k,n,dtype,time_us,source,kind\n");
  const auto collectives = write("collectives.csv", "id,hardware,bytes,time_us,source,kind\n");
  const auto attention =
      write("attention.csv", "id,hardware,phase,heads,kv_heads,head_size,batch,length,dtype,time_us,source,kind\n");
  const auto energy = write("energy.csv",
                            "id,hardware,model,dtype,batch,prompt,context,generated,token_ms,watts,joules_per_token,"
                            "software,source,kind\n");
  const auto setups = write("setups.yaml",
                            "hardware: []\nsoftware: []\nkernels: {software: none}\n"
                            "byte_kernels: {software: none}\nattention: {software: none}\n");
  for (const std::string line :
       {"X,decode,H\n", "X,decode,H,m,fp16,one,0,1,1,0,0,token_ms,1,ms,s,src,A,validation,core\n",
        "X,decode,H,m,fp16,1,0,1,1,0,0,token_ms,-1,ms,s,src,A,validation,core\n"}) {
    const auto measured = write("measured.csv", header + line);
    try {
      validation_data(measured, kernels, collectives, attention, energy, setups);
      ADD_FAILURE() << line;
    } catch (const input_error& e) {
      EXPECT_NE(std::string(e.what()).find("measured.csv:2"), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(validation_data(dir + "missing.csv", kernels, collectives, attention, energy, setups), input_error);
  // A quoted cell may hold commas; a row that no setup matches says so.
  const auto measured =
      write("measured.csv",
            header + "X,decode,\"H, with a comma\",m,fp16,1,0,1,1,0,0,token_ms,1,ms,s,src,A,validation,core\n");
  const auto odd = write("odd.csv",
                         "id,hardware,phase,heads,kv_heads,head_size,batch,length,dtype,time_us,source,kind\n"
                         "X,H,middle,8,8,128,1,512,fp16,10,src,validation\n");
  EXPECT_THROW(validation_data(measured, kernels, collectives, odd, energy, setups), input_error);
  const validation_data good(measured, kernels, collectives, attention, energy, setups);
  ASSERT_EQ(good.rows().size(), 1u);
  EXPECT_EQ(good.rows()[0].hardware, "H, with a comma");
  EXPECT_THROW(good.setup_of(good.rows()[0]), input_error);
}

}  // namespace
}  // namespace memwall::tools
