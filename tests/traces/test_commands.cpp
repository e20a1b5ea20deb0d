// SPDX-License-Identifier: Apache-2.0
// memwall trace and memwall fit, as a user runs them.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "traces/file.h"
#include "traces/totals.h"

namespace memwall {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;

struct outcome {
  int code = -1;
  std::string text;
};

/// Runs the program; `text` is what it printed on both streams unless the arguments redirect them.
outcome memwall(const std::string& arguments) {
  const std::string command = std::string(MEMWALL_BINARY_DIR "/bin/memwall ") + arguments + " 2>&1";
  outcome out;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> block{};
  for (std::size_t n = 0; (n = std::fread(block.data(), 1, block.size(), pipe)) > 0;) out.text.append(block.data(), n);
  const int status = pclose(pipe);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

std::string scratch(const std::string& name) {
  return testing::TempDir() + "memwall-" + std::to_string(getpid()) + "-" + name;
}

TEST(command_trace, writes_a_trace_that_reads_back) {
  const auto path = scratch("a.jsonl");
  const auto run = memwall("trace --model llama-7b --dtype int4g32 --context 64 --tokens 2 -o " + path);
  EXPECT_EQ(run.code, 0) << run.text;
  EXPECT_THAT(run.text, HasSubstr("operators"));
  auto t = trace::read_file(path);
  EXPECT_EQ(t->header().model, "llama-7b");
  EXPECT_EQ(t->header().workload.context, 64);
  EXPECT_EQ(trace::sum_of(*t).ops, 2 * (1 + 32 * 11 + 3));
  fs::remove(path);
}

TEST(command_trace, to_standard_output_is_the_trace_alone) {
  const auto run = memwall("trace --model gpt-2 --phase prefill --prompt 4 -o -");
  EXPECT_EQ(run.code, 0);
  auto t = trace::read_stream(std::make_unique<std::istringstream>(run.text), "stdout");
  EXPECT_GT(trace::sum_of(*t).ops, 0);
}

TEST(command_trace, imports) {
  const auto path = scratch("b.jsonl");
  EXPECT_EQ(
      memwall("trace --from " MEMWALL_SOURCE_DIR "/traces/samples/gemms.csv --dtype int8 --quiet -o " + path).text, "");
  auto t = trace::read_file(path);
  EXPECT_GT(trace::sum_of(*t).ops, 0);
  fs::remove(path);
}

TEST(command_trace, bad_input_is_exit_code_2_and_leaves_nothing) {
  const auto path = scratch("c.jsonl");
  const std::pair<const char*, const char*> table[] = {
      {"--model lama-7b", "did you mean 'llama-7b'"},
      {"--model llama-7b --batch 0", "--batch: got '0'"},
      {"--model llama-7b --batch -1", "--batch: got '-1'"},
      {"--model llama-7b --context 99999999999999999999", "--context: got"},
      {"--model llama-7b --tokens 1.5", "--tokens: got '1.5'"},
      {"--model llama-7b --prompt x", "--prompt: got 'x'"},
      {"--model llama-7b --seed -1", "--seed: got '-1'"},
      {"--model llama-7b --phase prefil", "did you mean 'prefill'"},
      {"--model llama-7b --dtype fp17", "did you mean 'fp16'"},
      {"--model llama-7b --phase prefill --context 7", "--prompt"},
      {"--model llama-7b --phase both --prompt 8 --context 7", "--context"},
      {"--model gpt-2 --context 2000", "learned positions"},
      {"--model llama-65b --phase prefill --batch 1000000 --prompt 16000000", "operations"},
      {"", "--model"},
      {"--model gpt-2 --from x", "exclude"},
      {"--from /nonexistent", "cannot be read"},
      {"--model gpt-2 --nonsense", "--nonsense"},
  };
  for (const auto& [arguments, expected] : table) {
    const auto run = memwall("trace " + std::string(arguments) + " -o " + path);
    EXPECT_EQ(run.code, 2) << arguments << "\n" << run.text;
    EXPECT_THAT(run.text, HasSubstr(expected)) << arguments;
    EXPECT_FALSE(fs::exists(path)) << arguments;
  }
  EXPECT_EQ(memwall("trace --model gpt-2 -o /nonexistent/x.jsonl").code, 2);
  EXPECT_EQ(memwall("trace --model gpt-2").code, 2);
}

TEST(command_fit, table_of_the_memory_wall) {
  const auto run =
      memwall("fit --model llama-65b --model gpt-3-175b --device rtx-4090 --device h100 --device 4xh100 --json");
  ASSERT_EQ(run.code, 0) << run.text;
  const auto j = nlohmann::json::parse(run.text);
  std::map<std::string, std::vector<bool>> fits;
  for (const auto& row : j["rows"])
    for (const auto& f : row["fits"])
      fits[row["model"].get<std::string>() + " " + row["dtype"].get<std::string>()].push_back(f["fits"]);
  EXPECT_EQ(fits["llama-65b fp16"], (std::vector<bool>{false, false, true}));
  EXPECT_EQ(fits["llama-65b int4g32"], (std::vector<bool>{false, true, true}));
  EXPECT_EQ(fits["llama-65b int4g32s32"], (std::vector<bool>{false, true, true}));
  EXPECT_EQ(fits["gpt-3-175b fp16"], (std::vector<bool>{false, false, false}));
  EXPECT_EQ(j["rows"][0]["total_bytes"], 2 * 65285660672);
  const auto table = memwall("fit --model llama-65b --context 2048 --batch 8");
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.text, HasSubstr("121.6"));
  EXPECT_THAT(table.text, HasSubstr("40.00"));  // 8 x 2048 x 2.5 MiB
}

TEST(command_fit, types_are_those_asked_for_in_their_order_or_the_usual_ones) {
  const auto types = [](const std::string& more) {
    const auto run = memwall("fit --json --model gpt-2 --device h100 " + more);
    EXPECT_EQ(run.code, 0) << run.text;
    std::vector<std::string> out;
    const auto j = nlohmann::json::parse(run.text);
    for (const auto& row : j["rows"]) out.push_back(row["dtype"]);
    return out;
  };
  using list = std::vector<std::string>;
  EXPECT_EQ(types(""), (list{"fp16", "int8", "int4g32s32", "int4g32"}));
  EXPECT_EQ(types("--dtype int8"), (list{"int8"}));
  EXPECT_EQ(types("--dtype fp32 --dtype int4g32"), (list{"fp32", "int4g32"}));
}

// Without a context there is no cache to count: its columns are absent, and the text says how to get them.
TEST(command_fit, the_cache_is_counted_when_a_context_is_given) {
  const auto without = memwall("fit --model gpt-2 --device h100"),
             with = memwall("fit --model gpt-2 --device h100 --context 1");
  ASSERT_EQ(without.code, 0) << without.text;
  ASSERT_EQ(with.code, 0) << with.text;
  EXPECT_THAT(without.text, testing::Not(HasSubstr("KV cache  ")));
  EXPECT_THAT(without.text, HasSubstr("Add the KV cache with --context N --batch N."));
  EXPECT_THAT(with.text, HasSubstr("KV cache      total"));
  EXPECT_THAT(with.text, HasSubstr("all weights, the KV cache and the activations"));
  EXPECT_THAT(with.text, testing::Not(HasSubstr("Add the KV cache")));
}

// What is said to make a training step fit does, each by itself; what was tried and is not said does not.
TEST(command_fit, what_would_make_a_training_step_fit_does) {
  const auto fits = [](const std::string& model, const std::string& device, int batch, const std::string& more) {
    const auto run = memwall("fit --phase train --json --model " + model + " --device " + device + " --batch " +
                             std::to_string(batch) + " " + more);
    EXPECT_EQ(run.code, 0) << run.text;
    return nlohmann::json::parse(run.text)["rows"][0];
  };
  // States take 16.8 bytes a parameter and more: 113 GB of 85 on each device, unless shared.
  const auto seven = fits("llama-7b", "2xh100", 4, "");
  EXPECT_EQ(seven["fits"], false);
  ASSERT_GE(seven["would_fit"].size(), 3U);
  for (const auto& words : seven["would_fit"]) EXPECT_EQ(fits("llama-7b", "2xh100", 4, words)["fits"], true) << words;
  const std::string said = seven["would_fit"].dump();
  for (const char* words : {"--recompute full", "--sharding zero1"}) {
    EXPECT_EQ(said.find(words), std::string::npos) << words;
    EXPECT_EQ(fits("llama-7b", "2xh100", 4, words)["fits"], false) << words;
  }
  // Sixteen sequences at once: selective leaves all but the scores, too much, full nothing but the layers' inputs. One
  // device has nobody to share with.
  const std::string at_once = "--prompt 1024 --micro-batch 16 ";
  EXPECT_EQ(fits("llama-7b", "h200", 16, at_once)["would_fit"],
            (nlohmann::json{"--recompute full", "--micro-batch 1"}));
  EXPECT_EQ(fits("llama-7b", "h200", 16, at_once + "--recompute selective")["fits"], false);
  EXPECT_EQ(fits("llama-7b", "h200", 16, at_once + "--recompute full")["fits"], true);
  EXPECT_EQ(fits("llama-7b", "h200", 16, "--prompt 1024 --micro-batch 1")["fits"], true);
  for (const char* sharing : {"zero1", "zero2", "zero3"})
    EXPECT_EQ(fits("llama-7b", "h200", 16, at_once + "--sharding " + sharing)["fits"], false) << sharing;
  // Shards shrink with the number of devices: twice as many, with as many sequences for each, until it fits.
  const auto shared = fits("llama-13b", "2xh100", 2, "--sharding zero3");
  ASSERT_EQ(shared["fits"], false);
  std::string last = shared["would_fit"].back();
  int devices = 0, batch = 0;
  ASSERT_EQ(std::sscanf(last.c_str(), "%d devices and --batch %d", &devices, &batch), 2) << last;
  EXPECT_EQ(devices, batch);
  EXPECT_EQ(fits("llama-13b", std::to_string(devices) + "xh100", batch, "--sharding zero3")["fits"], true);
  EXPECT_EQ(fits("llama-13b", std::to_string(devices / 2) + "xh100", batch / 2, "--sharding zero3")["fits"], false);
  const auto none = memwall("fit --phase train --model llama-7b --device rtx-4090");
  EXPECT_THAT(none.text, HasSubstr("of 23.6 GiB: does not fit, "));
  EXPECT_THAT(none.text, HasSubstr("Nothing that was tried makes it fit."));
  EXPECT_THAT(memwall("fit --phase train --model llama-7b --device h200").text, HasSubstr("of 139.6 GiB: fits\n"));
}

TEST(command_fit, settings_of_a_training_step_are_of_train) {
  const std::string words = "fit --phase train --json --model gpt-2 --prompt 64 --batch 2 --device 2xh100 ";
  const auto run = memwall(words + "--set train.tensor=2");
  ASSERT_EQ(run.code, 0) << run.text;
  const auto setup = nlohmann::json::parse(run.text)["rows"][0]["setup"];
  EXPECT_EQ(setup["train"]["tensor"], 2);
  EXPECT_EQ(setup["data"], 1);  // no device is left for a replica
  EXPECT_EQ(setup["batch"], 2);
  EXPECT_EQ(setup["prompt"], 64);
  const auto all = memwall(
      "fit --phase train --json --model gpt-2 --prompt 32 --batch 12 --micro-batch 3 --device 8xh100 --optimizer "
      "momentum --recompute selective --sharding zero2 --set train.tensor=2");
  ASSERT_EQ(all.code, 0) << all.text;
  auto asked = nlohmann::json::parse(all.text)["rows"][0]["setup"];
  EXPECT_EQ(asked["train"]["tensor"], 2);
  asked.erase("train");
  EXPECT_EQ(asked, (nlohmann::json{{"batch", 12},
                                   {"micro_batch", 3},
                                   {"prompt", 32},
                                   {"optimizer", "momentum"},
                                   {"recompute", "selective"},
                                   {"sharding", "zero2"},
                                   {"devices", 8},
                                   {"data", 4}}));  // 8 devices in pairs
  for (const char* wrong : {"train.tensor", "tensor=2", "gpu.tensor=2", "=2", "tensor"}) {
    const auto refused = memwall(words + "--set " + wrong);
    EXPECT_EQ(refused.code, 2) << wrong;
    EXPECT_THAT(refused.text, HasSubstr("--set: got '" + std::string(wrong) + "' (expected train.KEY=VALUE)"));
  }
  const auto unknown = memwall(words + "--set train.tensr=2");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.text, HasSubstr("did you mean 'tensor'"));
}

TEST(command_fit, bad_input_is_exit_code_2) {
  for (const char* arguments :
       {"", "--model lama", "--model llama-7b --device h10", "--model llama-7b --dtype x", "--model llama-7b --batch 0",
        "--model llama-7b --context -1", "--model llama-65b --context 16777216 --batch 1048576 --dtype fp64"})
    EXPECT_EQ(memwall("fit " + std::string(arguments)).code, 2) << arguments;
  const auto both = memwall("fit --model lama-7b --device h10");  // all problems at once
  EXPECT_THAT(both.text, testing::AllOf(HasSubstr("'llama-7b'"), HasSubstr("'h100'")));
}

}  // namespace
}  // namespace memwall
