// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>

#include "tests/support/temp_dir.h"
#include "traces/serving/request_file.h"
#include "traces/serving/request_spec.h"

namespace memwall::serving {
namespace {

constexpr double second = 1e12;

request_list read_text(const std::string& text, const std::string& name = "requests.csv") {
  const test::temp_dir dir;
  const std::string path = dir / name;
  std::ofstream(path) << text;
  return read_requests(path);
}

/// Every problem's text, joined.
std::string errors_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const input_error& e) {
    std::string out;
    for (const auto& p : e.problems()) out += p.text() + "\n";
    return out;
  }
  return "";
}

std::int64_t shared_blocks(const request& a, const request& b, std::int64_t block_size) {
  std::uint64_t x = 0, y = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    x = block_hash(a, i, block_size, x);
    y = block_hash(b, i, block_size, y);
    if (x != y) return i;
  }
  return 1000;
}

TEST(request_spec, constant_arrivals_are_evenly_apart) {
  const auto list = from_spec("constant:rate=4,n=3,input=10,output=2", 1);
  ASSERT_EQ(list.requests.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(list.requests[i].arrival, static_cast<ps_t>(0.25 * second) * static_cast<ps_t>(i));
    EXPECT_EQ(list.requests[i].input, 10);
    EXPECT_EQ(list.requests[i].output, 2);
  }
}

TEST(request_spec, gaps_have_the_mean_and_the_variation_that_were_asked_for) {
  for (const auto& [text, cv] : {std::pair{"poisson:rate=8,n=20000", 1.0}, {"gamma:rate=8,n=20000,cv=2.5", 2.5}}) {
    const auto list = from_spec(text, 7);
    double sum = 0, squares = 0;
    for (std::size_t i = 1; i < list.requests.size(); ++i) {
      const double gap = static_cast<double>(list.requests[i].arrival - list.requests[i - 1].arrival) / second;
      sum += gap;
      squares += gap * gap;
    }
    const double n = static_cast<double>(list.requests.size() - 1), mean = sum / n;
    // Four standard errors of the mean; the deviation's own error grows with the fourth moment.
    EXPECT_NEAR(mean, 1.0 / 8, 4 * cv / 8 / std::sqrt(n)) << text;
    EXPECT_NEAR(std::sqrt(squares / n - mean * mean) / mean, cv, 0.1 * cv) << text;
  }
}

TEST(request_spec, lengths_follow_their_distributions) {
  const auto list = from_spec("constant:rate=1,n=20000,input=uniform:100-300,output=lognormal:200:0.5", 3);
  double input = 0, output = 0, logs = 0, log_squares = 0;
  for (const auto& r : list.requests) {
    EXPECT_GE(r.input, 100);
    EXPECT_LE(r.input, 300);
    input += static_cast<double>(r.input);
    output += static_cast<double>(r.output);
    const double log = std::log(static_cast<double>(r.output));
    logs += log;
    log_squares += log * log;
  }
  const double n = 20000;
  EXPECT_NEAR(input / n, 200, 4 * 200 / std::sqrt(12 * n));
  EXPECT_NEAR(output / n, 200, 4 * 200 * std::sqrt(std::exp(0.25) - 1) / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(log_squares / n - logs * logs / n / n), 0.5, 0.02);
}

TEST(request_spec, a_seed_means_the_same_requests_everywhere) {
  // 64-bit Mersenne Twister (its 10,000th number after seed 5489 is 9981545732273789042, by its authors) and Boost's
  // own distributions: nothing that a C++ library may choose.
  const auto a = from_spec("poisson:rate=2,n=50,input=uniform:1-1000,output=lognormal:100:1,prefix=64:4", 11);
  const auto b = from_spec("poisson:rate=2,n=50,input=uniform:1-1000,output=lognormal:100:1,prefix=64:4,seed=11", 99);
  const auto c = from_spec("poisson:rate=2,n=50,input=uniform:1-1000,output=lognormal:100:1,prefix=64:4", 12);
  bool differs = false;
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(a.requests[i].arrival, b.requests[i].arrival);
    EXPECT_EQ(a.requests[i].input, b.requests[i].input);
    EXPECT_EQ(a.requests[i].content.front().content, b.requests[i].content.front().content);
    differs = differs || a.requests[i].input != c.requests[i].input;
  }
  EXPECT_TRUE(differs);
}

TEST(request_spec, prefixes_are_shared_inside_a_group_only) {
  const auto list = from_spec("constant:rate=1,n=40,input=100,output=1,prefix=48:3", 1);
  std::map<std::uint64_t, std::vector<const request*>> groups;
  for (const auto& r : list.requests) groups[r.content.front().content].push_back(&r);
  EXPECT_EQ(groups.size(), 3u);
  for (const auto& [unused, members] : groups)
    for (std::size_t i = 1; i < members.size(); ++i) EXPECT_EQ(shared_blocks(*members[0], *members[i], 16), 3);
  EXPECT_EQ(shared_blocks(*groups.begin()->second[0], *groups.rbegin()->second[0], 16), 0);
}

TEST(request_spec, a_turn_goes_on_from_what_was_said) {
  const auto list = from_spec("constant:rate=1,n=4,input=32,output=16,turns=2,think=3", 1);
  EXPECT_EQ(list.requests[1].after, 0);
  EXPECT_EQ(list.requests[1].pause, static_cast<ps_t>(3 * second));
  EXPECT_EQ(list.requests[1].input, 32 + 16 + 32);
  EXPECT_EQ(shared_blocks(list.requests[0], list.requests[1], 16), 1000);
  EXPECT_EQ(list.requests[2].after, -1);
  EXPECT_EQ(shared_blocks(list.requests[0], list.requests[2], 16), 0);
}

TEST(request_spec, users_of_a_closed_loop_wait_for_their_answers) {
  const auto list = from_spec("closed:users=3,n=7,think=0.5,input=8,output=4", 1);
  for (std::int64_t i = 0; i < 7; ++i) {
    EXPECT_EQ(list.requests[static_cast<std::size_t>(i)].after, i < 3 ? -1 : i - 3);
    EXPECT_EQ(list.requests[static_cast<std::size_t>(i)].pause, i < 3 ? 0 : static_cast<ps_t>(0.5 * second));
  }
}

TEST(request_spec, all_errors_are_told_at_once) {
  const std::string text =
      errors_of([] { from_spec("poisson:rat=8,n=0,input=uniform:9-3,output=lognormal:10,users=3", 1); });
  for (const char* part : {"did you mean 'rate'", "rate: is missing", "n: got '0'", "uniform:9-3", "lognormal:10",
                           "'users' is a word of closed alone"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_NE(errors_of([] { from_spec("closed:rate=3", 1); }).find("users: is missing"), std::string::npos);
  EXPECT_NE(errors_of([] { from_spec("gamma:rate=1,cv=-1", 1); }).find("cv: got '-1'"), std::string::npos);
  EXPECT_NE(errors_of([] { from_spec("poisson:rate=1,prefix=12", 1); }).find("LENGTH:GROUPS"), std::string::npos);
}

TEST(request_files, own_csv_in_any_order_of_columns) {
  const auto list = read_text(
      "\xEF\xBB\xBFrequest,class,input_tokens,output_tokens,arrival_s,prefix\r\n"
      "a,\"big, slow\",64,5,0.25,p:32\r\n"
      "b,,48,6,0.5,p:32\r\n"
      "c,,48,6,0.5,q\r\n"
      "d,,32,6,0.75,q\r\n");
  ASSERT_EQ(list.requests.size(), 4u);
  EXPECT_EQ(list.requests[0].id, "a");
  EXPECT_EQ(list.requests[0].kind, "big, slow");
  EXPECT_EQ(list.requests[0].arrival, 0) << "the clock starts with the first";
  EXPECT_EQ(list.requests[1].arrival, static_cast<ps_t>(0.25 * second));
  EXPECT_EQ(list.requests[0].input, 64);
  EXPECT_EQ(list.requests[0].output, 5);
  EXPECT_EQ(list.requests[0].line, 2);
  EXPECT_EQ(shared_blocks(list.requests[0], list.requests[1], 16), 2);
  EXPECT_EQ(shared_blocks(list.requests[2], list.requests[3], 16), 2);
  EXPECT_EQ(shared_blocks(list.requests[0], list.requests[2], 16), 0);
}

// Wall-clock times, and a lead-in: three requests a second apart, at half the rate two.
TEST(request_files, clocks_start_anywhere) {
  for (const char* start : {"170000000", "100"}) {
    const std::string at = start;
    auto list = read_text("arrival_s,input_tokens,output_tokens\n" + at + "0,5,6\n" + at + "1,5,6\n" + at + "2,5,6\n");
    ASSERT_EQ(list.requests.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(list.requests[i].arrival, static_cast<ps_t>(i) * second) << start;
    scale_rate(list, 0.5);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(list.requests[i].arrival, static_cast<ps_t>(2 * i) * second) << start;
  }
  EXPECT_NE(errors_of([] {
              read_text("arrival_s,input_tokens,output_tokens\n0,5,6\n5e6,5,6\n1e7,5,6\n");
            }).find("requests.csv:4: arrival: is more than 9 million seconds after the first"),
            std::string::npos);
}

TEST(request_files, a_log_of_served_requests_is_a_list_of_requests) {
  const auto list = read_text(
      "request,arrival_s,queued_s,scheduled_s,first_token_s,last_token_s,input_tokens,output_tokens\n"
      "0,0.0,0.0,0.1,0.7,17.5,2358,531\n");
  EXPECT_EQ(list.requests[0].input, 2358);
  EXPECT_EQ(list.requests[0].output, 531);
}

TEST(request_files, defects_are_told_with_file_and_line) {
  const std::string head = "arrival_s,input_tokens,output_tokens\n";
  const auto told = [&](const std::string& text, const std::string& part) {
    const std::string all = errors_of([&] { read_text(text); });
    EXPECT_NE(all.find(part), std::string::npos) << text << "gave: " << all;
  };
  told(head + "0,5,5\n-1,5,5\n", "requests.csv:3: arrival: is negative");
  told(head + "3,5,5\n2,5,5\n", "requests.csv:3: arrival: is earlier");
  told(head + "0,5,0\n", "requests.csv:2: output_tokens: got '0'");
  told(head + "0,0,5\n", "requests.csv:2: input_tokens: got '0'");
  told(head + "0,5\n", "requests.csv:2: has 2 cells");
  told(head + "0,5,1,024\n", "requests.csv:2: has 4 cells");
  told(head + "x,5,5\n", "requests.csv:2: arrival_s: got 'x'");
  told(head + "nan,5,5\n", "requests.csv:2: arrival_s: got 'nan'");
  told(head, "has no requests");
  told("", "is empty");
  told("arrival_s,input_token,output_tokens\n0,1,1\n", "did you mean 'input_tokens'");
  told("arrival_s,output_tokens\n0,1\n", "input_tokens: the column is missing");
  told("nothing known\n1\n", "requests.csv:1: tells of no known kind");
  const std::string missing = errors_of([] { read_requests("poison:rate=3"); });
  EXPECT_NE(missing.find("did you mean 'poisson'"), std::string::npos) << missing;
  // A thousand broken lines are not a thousand messages.
  std::string many = head;
  for (int i = 0; i < 1000; ++i) many += "0,0,1\n";
  told(many, "980 more lines are broken");
}

TEST(request_files, azure) {
  const auto list = read_text(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n"
      "2023-12-31 23:59:59.5000000,4808,10\n"
      "2024-01-01 00:00:01.2500000,3180,8\n");
  ASSERT_EQ(list.requests.size(), 2u);
  EXPECT_EQ(list.requests[0].arrival, 0);
  EXPECT_EQ(list.requests[1].arrival, static_cast<ps_t>(1.75 * second));
  EXPECT_EQ(list.requests[1].input, 3180);
  EXPECT_EQ(list.requests[1].output, 8);
  const auto later = read_text(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n"
      "2024-05-10 00:00:01.009930+00:00,2399,6\n");
  EXPECT_EQ(later.requests[1].arrival, static_cast<ps_t>(second));
  EXPECT_NE(errors_of([] {
              read_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-13-10 00:00:00,1,1\n");
            }).find("requests.csv:2: TIMESTAMP"),
            std::string::npos);
}

TEST(request_files, burstgpt) {
  const auto list = read_text(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,ChatGPT,472,18,490,Conversation log\n"
      "45,ChatGPT,1087,0,1087,Conversation log\n"
      "118,GPT-4,417,276,693,API log\n");
  ASSERT_EQ(list.requests.size(), 2u);
  EXPECT_EQ(list.requests[1].arrival, static_cast<ps_t>(113 * second));
  EXPECT_EQ(list.requests[1].kind, "GPT-4");
  EXPECT_EQ(list.requests[1].output, 276);
  ASSERT_EQ(list.notes.size(), 1u);
  EXPECT_EQ(list.notes[0].substr(0, 2), "1 ");
}

TEST(request_files, mooncake) {
  const auto list = read_text(
      "{\"timestamp\": 0, \"input_length\": 1500, \"output_length\": 5, \"hash_ids\": [7, 8, 9]}\n"
      "{\"timestamp\": 3052, \"input_length\": 1200, \"output_length\": 6, \"hash_ids\": [7, 8, 10]}\n",
      "mooncake.jsonl");
  ASSERT_EQ(list.requests.size(), 2u);
  EXPECT_EQ(list.requests[1].arrival, static_cast<ps_t>(3.052 * second));
  EXPECT_EQ(list.requests[1].input, 1200);
  EXPECT_EQ(shared_blocks(list.requests[0], list.requests[1], 16), 2 * 512 / 16);
  EXPECT_NE(errors_of([] {
              read_text("{\"timestamp\": 0, \"input_length\": 1500}\n", "mooncake.jsonl");
            }).find("mooncake.jsonl:1"),
            std::string::npos);
}

TEST(request_files, json_lines_of_engines) {
  const auto list = read_text(
      "{\"request_id\": \"r-0\", \"arrival_time\": 1700000000.25, \"prompt_tokens\": 5, \"completion_tokens\": 6}\n"
      "{\"request_id\": \"r-1\", \"arrival_time\": 1700000001.25, \"prompt_tokens\": 7, \"completion_tokens\": 8, "
      "\"note\": [1, {\"x\": null}]}\n",
      "log.jsonl");
  ASSERT_EQ(list.requests.size(), 2u);
  EXPECT_EQ(list.requests[0].arrival, 0);
  EXPECT_EQ(list.requests[1].arrival, static_cast<ps_t>(second));
  EXPECT_EQ(list.requests[1].id, "r-1");
  EXPECT_EQ(list.requests[1].output, 8);
  const auto toks = read_text(
      "{\"input_toks\": 5, \"output_toks\": 6, \"arrival_time_ns\": 500000000}\n"
      "{\"input_toks\": 5, \"output_toks\": 6, \"arrival_time_ns\": 2000000000}\n",
      "x.jsonl");
  EXPECT_EQ(toks.requests[1].arrival, static_cast<ps_t>(1.5 * second));
  EXPECT_NE(errors_of([] { read_text("{\"prompt_tokens\": 5, broken\n", "x.jsonl"); }).find("x.jsonl:1"),
            std::string::npos);
}

TEST(request_files, arrivals_that_make_no_sense_are_told_with_their_line) {
  const auto line = [](const char* arrival) {
    return std::string("{\"prompt_tokens\": 5, \"completion_tokens\": 6, \"arrival_time\": ") + arrival + "}\n";
  };
  const auto said = [](const std::string& text) { return errors_of([&] { read_text(text, "x.jsonl"); }); };
  EXPECT_EQ(said(line("1") + line("1") + line("2")), "");
  const std::string back = said(line("2") + line("1") + line("3") + line("2.5"));
  for (const char* part : {"x.jsonl:2", "x.jsonl:4", "is earlier than that of the line before"})
    EXPECT_NE(back.find(part), std::string::npos) << back;
  EXPECT_EQ(back.find("x.jsonl:3"), std::string::npos) << back;
  EXPECT_NE(said(line("-1")).find("is negative"), std::string::npos);
  EXPECT_NE(said(line("0") + line("9000001")).find("more than 9 million seconds"), std::string::npos);
  EXPECT_EQ(said(line("0") + line("8999999")), "");
}

TEST(request_lists, rate_scales_time_only) {
  auto list = from_spec("poisson:rate=2,n=101,input=uniform:1-50", 5);
  const auto before = list.requests;
  scale_rate(list, 10);
  EXPECT_NEAR(static_cast<double>(list.requests.back().arrival), 10 * second, second * 1e-9);
  const double factor = static_cast<double>(list.requests.back().arrival) / static_cast<double>(before.back().arrival);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(list.requests[i].input, before[i].input);
    EXPECT_NEAR(static_cast<double>(list.requests[i].arrival), static_cast<double>(before[i].arrival) * factor, 1);
  }
  keep_first(list, 10);
  EXPECT_EQ(list.requests.size(), 10u);
}

}  // namespace
}  // namespace memwall::serving
