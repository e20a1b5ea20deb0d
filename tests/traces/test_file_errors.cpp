// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <sstream>

#include "hw/common/error.h"
#include "traces/file.h"
#include "traces/totals.h"

namespace memwall::trace {
namespace {

using testing::HasSubstr;

const std::string head = "{\"memwall_trace\":1}\n{\"tensor\":\"weights.a\",\"class\":\"weights\",\"bytes\":64}\n";

/// Reads a trace to its end and returns what was wrong, or a problem without a message.
problem problem_of(const std::string& text) {
  try {
    auto t = read_stream(std::make_unique<std::istringstream>(text), "t.jsonl");
    sum_of(*t);
  } catch (const input_error& e) {
    return e.problems().front();
  }
  return {};
}

std::string op_with(const std::string& fields) {
  return head + "{\"op\":\"a\",\"kind\":\"norm\"" + fields + "}\n{\"end\":1}\n";
}

struct bad {
  const char* fields;
  const char* key;
  const char* message;
};

TEST(trace_errors, fields_of_an_operator) {
  EXPECT_EQ(problem_of(op_with("")).message, "");
  const bad table[] = {
      {",\"m\":0", "m", "got 0"},
      {",\"m\":-4", "m", "got -4"},
      {",\"m\":1.5", "m", "got 1.5"},
      {",\"m\":1e3", "m", "got 1e3"},
      {",\"m\":99999999999999999999999", "m", "got 99999999999999999999999"},
      {",\"m\":1099511627777", "m", "got 1099511627777"},
      {",\"m\":\"8\"", "m", "not JSON"},
      {",\"m\":null", "m", "not JSON"},
      {",\"m\":", "m", "not JSON"},
      {",\"m\":1,\"m\":2", "m", "given twice"},
      {",\"kinds\":1", "kinds", "unknown key"},
      {",\"layer\":-2", "layer", "got -2"},
      {",\"step\":-1", "step", "got -1"},
      {",\"batch\":0", "batch", "got 0"},
      {",\"phase\":\"decoding\"", "phase", "unknown phase 'decoding'"},
      {",\"shard\":\"col\"", "shard", "unknown shard"},
      {",\"in\":\"fp17\"", "in", "unknown type 'fp17'"},
      {",\"matmul_flops\":-1", "matmul_flops", "got -1"},
      {",\"vector_flops\":9223372036854775807", "vector_flops", "got 9223372036854775807"},
      {",\"reads\":[\"weights.b\"]", "reads", "unknown tensor 'weights.b'"},
      {",\"reads\":[[\"weights.a\",65]]", "reads", "bytes 0 to 65"},
      {",\"reads\":[[\"weights.a\",32,33]]", "reads", "bytes 33 to 65"},
      {",\"reads\":[[\"weights.a\",0]]", "reads", "got 0"},
      {",\"reads\":[[\"weights.a\",8,-8]]", "reads", "got -8"},
      {",\"reads\":[[\"weights.a\",8,8,8]]", "reads", "too many"},
      {",\"reads\":[[]]", "reads", "empty use"},
      {",\"reads\":\"weights.a\"", "reads", "not JSON"},
      {",\"reads\":[\"weights.a\",]", "reads", "not JSON"},
      {",\"deps\":[0]", "deps", "depends on itself"},
      {",\"deps\":[1]", "deps", "does not come before it"},
      {",\"deps\":[-1]", "deps", "got -1"},
      {",\"id\":1", "id", "got 1"},
      {",\"heads\":6,\"kv_heads\":4", "", "4 kv_heads do not divide 6 heads"},
      {",\"m\":4,\"group_rows\":[1,2]", "", "sum to 3"},
      {",\"m\":4,\"group_rows\":[4,0]", "group_rows", "got 0"},
      {",\"m\":4,\"group_rows\":[1,3],\"choices\":3", "", "3 choices do not divide m, which is 4"},
      {",\"choices\":-1", "choices", "got -1"},
      {",\"op\":\"b\"", "op", "given twice"},
  };
  for (const auto& row : table) {
    const auto p = problem_of(op_with(row.fields));
    EXPECT_EQ(p.where, "t.jsonl:3") << row.fields;
    EXPECT_EQ(p.key, row.key) << row.fields;
    EXPECT_THAT(p.message, HasSubstr(row.message)) << row.fields;
  }
}

struct limits {
  const char* key;
  std::int64_t least, most;
};

// Every number of an operator, at its ends and one beyond. (Of heads and their kinds there is a divisor to keep; an id
// is its line's.)
TEST(trace_errors, numbers_of_an_operator_have_these_ends) {
  constexpr std::int64_t index = std::int64_t{1} << 40, elements = std::int64_t{1} << 40, flops = std::int64_t{1} << 62;
  const limits table[] = {{"layer", -1, index}, {"step", 0, index},         {"m", 1, elements},
                          {"n", 1, elements},   {"k", 1, elements},         {"batch", 1, elements},
                          {"heads", 0, index},  {"matmul_flops", 0, flops}, {"vector_flops", 0, flops}};
  const auto read = [](const char* key, std::int64_t value) {
    return problem_of(op_with(",\"" + std::string(key) + "\":" + std::to_string(value)));
  };
  for (const auto& row : table) {
    EXPECT_EQ(read(row.key, row.least).message, "") << row.key;
    EXPECT_EQ(read(row.key, row.most).message, "") << row.key;
    for (const std::int64_t beyond : {row.least - 1, row.most + 1}) {
      EXPECT_EQ(read(row.key, beyond).key, row.key);
      EXPECT_THAT(read(row.key, beyond).message, HasSubstr("got " + std::to_string(beyond)));
    }
  }
  const auto kv_heads = [](std::int64_t heads, std::int64_t n) {
    return problem_of(op_with(",\"heads\":" + std::to_string(heads) + ",\"kv_heads\":" + std::to_string(n)));
  };
  EXPECT_EQ(kv_heads(0, 0).message, "");
  EXPECT_EQ(kv_heads(index, index).message, "");
  EXPECT_EQ(kv_heads(4, -1).key, "kv_heads");
  EXPECT_EQ(kv_heads(0, index + 1).key, "kv_heads");
}

TEST(trace_errors, numbers_of_a_tensor_and_of_the_workload_have_these_ends) {
  constexpr std::int64_t index = std::int64_t{1} << 40, elements = std::int64_t{1} << 40, bytes = std::int64_t{1} << 50;
  const auto tensor = [](const std::string& fields) {
    return problem_of("{\"memwall_trace\":1}\n{\"tensor\":\"a\",\"class\":\"weights\"," + fields + "}\n{\"end\":0}\n");
  };
  const auto workload = [](const std::string& fields) {
    return problem_of("{\"memwall_trace\":1,\"workload\":{" + fields + "}}\n{\"end\":0}\n");
  };
  const auto expect = [](const limits& row, auto&& read, const std::string& path) {
    const auto field = [&](std::int64_t value) { return "\"" + std::string(row.key) + "\":" + std::to_string(value); };
    for (const std::int64_t good : {row.least, row.most}) EXPECT_EQ(read(field(good)).message, "") << field(good);
    for (const std::int64_t bad : {row.least - 1, row.most + 1}) {
      EXPECT_EQ(read(field(bad)).key, path + row.key);
      EXPECT_THAT(read(field(bad)).message, HasSubstr("got " + std::to_string(bad)));
    }
  };
  expect({"bytes", 1, bytes}, tensor, "");
  expect(
      {"layer", -1, index}, [&](const std::string& f) { return tensor("\"bytes\":4," + f); }, "");
  for (const char* key : {"batch", "prompt", "context", "tokens"}) expect({key, 1, index}, workload, "workload.");
  expect({"prefill_chunk", 0, index}, workload, "workload.");
  EXPECT_EQ(workload("\"seed\":0").message, "");
  EXPECT_EQ(workload("\"seed\":9223372036854775807").message, "");
  EXPECT_EQ(workload("\"seed\":-1").key, "workload.seed");
  EXPECT_EQ(tensor("\"shape\":[" + std::to_string(elements) + "]").message, "");
  EXPECT_EQ(tensor("\"shape\":[" + std::to_string(elements + 1) + "]").key, "shape");
  EXPECT_EQ(tensor("\"shape\":[0]").key, "shape");
  EXPECT_EQ(tensor("\"shape\":[1,2,3,4,5,6,7,8]").message, "");
  EXPECT_THAT(tensor("\"shape\":[1,2,3,4,5,6,7,8,9]").message, HasSubstr("9 dimensions"));
}

TEST(trace_errors, a_text_that_the_line_ends_in_lacks_its_closing_quote) {
  const auto p = problem_of("{\"memwall_trace\":1}\n{\"tensor\":\"a");
  EXPECT_EQ(p.where, "t.jsonl:2");
  EXPECT_EQ(p.message, "the line ends at column 13");  // behind the twelve that there are
  EXPECT_EQ(p.expected, "the closing quote of a text");
}

TEST(trace_errors, nearest_names) {
  EXPECT_EQ(problem_of(op_with(",\"reads\":[\"weight.a\"]")).nearest, "weights.a");
  EXPECT_EQ(problem_of(op_with(",\"read\":[]")).nearest, "reads");
  EXPECT_EQ(problem_of(op_with(",\"phase\":\"decod\"")).nearest, "decode");
  EXPECT_EQ(problem_of(head + "{\"op\":\"a\",\"kind\":\"gem\"}\n{\"end\":1}\n").nearest, "gemm");
}

TEST(trace_errors, sizes_that_overflow_together) {
  EXPECT_THAT(
      problem_of(head +
                 "{\"op\":\"a\",\"kind\":\"gemm\",\"m\":1099511627776,\"n\":1099511627776,\"k\":2}\n{\"end\":1}\n")
          .message,
      HasSubstr("2^62"));
  EXPECT_THAT(problem_of("{\"memwall_trace\":1}\n{\"tensor\":\"a\",\"class\":\"weights\",\"shape\":["
                         "1099511627776,1099511627776]}\n{\"end\":0}\n")
                  .message,
              HasSubstr("neither bytes nor a shape"));
}

TEST(trace_errors, loops_among_operators) {
  const auto p = problem_of(head +
                            "{\"op\":\"a\",\"kind\":\"norm\",\"deps\":[1]}\n{\"op\":\"b\",\"kind\":\"norm\","
                            "\"deps\":[0]}\n{\"end\":2}\n");
  EXPECT_EQ(p.where, "t.jsonl:3");
  EXPECT_THAT(p.message, HasSubstr("loop"));
}

TEST(trace_errors, headers_and_tensors) {
  EXPECT_THAT(problem_of("").message, HasSubstr("truncated"));
  EXPECT_THAT(problem_of("{\"memwall_trace\":2}\n{\"end\":0}\n").message, HasSubstr("got version 2"));
  EXPECT_THAT(problem_of("{\"model\":\"a\"}\n{\"end\":0}\n").expected, HasSubstr("memwall_trace"));
  EXPECT_THAT(problem_of("{}\n{\"end\":0}\n").message, HasSubstr("empty header"));
  EXPECT_THAT(problem_of("op,m,n\n").message, HasSubstr("not JSON"));
  EXPECT_EQ(problem_of("{\"memwall_trace\":1,\"workload\":{\"batch\":0}}\n{\"end\":0}\n").key, "workload.batch");
  EXPECT_EQ(problem_of("{\"memwall_trace\":1,\"workload\":{\"bach\":1}}\n{\"end\":0}\n").nearest, "batch");
  const std::string one = "{\"memwall_trace\":1}\n";
  EXPECT_THAT(problem_of(one + "{\"tensor\":\"a\",\"bytes\":4}\n{\"end\":0}\n").message, HasSubstr("has no class"));
  EXPECT_THAT(problem_of(one + "{\"tensor\":\"a\",\"class\":\"weights\"}\n{\"end\":0}\n").message,
              HasSubstr("neither bytes nor a shape"));
  EXPECT_THAT(problem_of(one + "{\"tensor\":\"a\",\"class\":\"weights\",\"bytes\":0}\n{\"end\":0}\n").message,
              HasSubstr("got 0"));
  EXPECT_THAT(problem_of(one + "{\"tensor\":\"a\",\"class\":\"weights\",\"shape\":[]}\n{\"end\":0}\n").message,
              HasSubstr("0 dimensions"));
  EXPECT_THAT(problem_of(one + "{\"tensor\":\"\",\"class\":\"weights\",\"bytes\":4}\n{\"end\":0}\n").message,
              HasSubstr("empty name"));
  EXPECT_EQ(problem_of(one + "{\"tensor\":\"a\",\"class\":\"weight\",\"bytes\":4}\n{\"end\":0}\n").nearest, "weights");
  EXPECT_THAT(problem_of(head + head.substr(head.find('\n') + 1) + "{\"end\":0}\n").message,
              HasSubstr("declared twice"));
  EXPECT_THAT(problem_of(head + "{\"op\":\"a\",\"kind\":\"norm\"}\n{\"tensor\":\"b\",\"class\":\"weights\","
                                "\"bytes\":4}\n{\"end\":1}\n")
                  .message,
              HasSubstr("after the first operator"));
  EXPECT_THAT(problem_of(head + "{\"op\":\"a\"}\n{\"end\":1}\n").message, HasSubstr("has no kind"));
  EXPECT_THAT(problem_of(head + "{\"op\":\"a\",\"kind\":\"gemm\",\"m\":1}\n{\"end\":1}\n").message,
              HasSubstr("no m, n or k"));
}

TEST(trace_errors, endings) {
  const std::string op = "{\"op\":\"a\",\"kind\":\"norm\"}\n";
  EXPECT_THAT(problem_of(head + op + op).message, HasSubstr("after 2 operators: it is truncated"));
  EXPECT_THAT(problem_of(head).message, HasSubstr("truncated"));
  EXPECT_THAT(problem_of(head + op + "{\"end\":2}\n").message, HasSubstr("says 2 operators, there are 1"));
  EXPECT_THAT(problem_of(head + op + "{\"end\":1}\n" + op).message, HasSubstr("after the end line"));
  EXPECT_EQ(problem_of(head + op + "{\"end\":1}\n\n").message, "");
  EXPECT_EQ(problem_of(head + op + "{\"end\":1,\"x\":1}\n").key, "x");
}

// Cut anywhere, a trace is an error, except behind the number of the end line.
TEST(trace_errors, truncation_anywhere_is_seen) {
  const std::string whole = head +
                            "{\"op\":\"a\",\"kind\":\"norm\",\"reads\":[\"weights.a\"]}\n{\"op\":\"b\","
                            "\"kind\":\"norm\"}\n{\"end\":2}\n";
  for (std::size_t length = 0; length + 1 < whole.size(); ++length)
    EXPECT_NE(problem_of(whole.substr(0, length)).message, "") << length;
}

TEST(trace_errors, deep_nesting_and_long_lines) {
  EXPECT_THAT(problem_of(op_with(",\"_x\":" + std::string(100000, '['))).expected, HasSubstr("64 nested"));
  EXPECT_THAT(problem_of(head + std::string(70u << 20, 'x')).message, HasSubstr("more than 64 MiB"));
  EXPECT_EQ(problem_of(op_with(",\"_x\":\"" + std::string(1u << 20, 'x') + "\"")).message, "");
}

// Whatever bytes come: a trace, or an input_error with a line.
TEST(trace_errors, random_damage_is_never_worse_than_an_error) {
  const std::string whole =
      head +
      "{\"op\":\"a\",\"id\":0,\"kind\":\"gemm\",\"layer\":0,\"phase\":\"decode\",\"m\":4,\"n\":4,\"k\":4,"
      "\"group_rows\":[1,3],"
      "\"shard\":\"rows\",\"in\":\"fp16\",\"reads\":[[\"weights.a\",32,8]],\"writes\":[\"weights.a\"],"
      "\"deps\":[]}\n"
      "{\"op\":\"\\u00e9\",\"kind\":\"norm\",\"_c\":{\"x\":[1,true,null]},\"deps\":[0]}\n{\"end\":2}\n";
  ASSERT_EQ(problem_of(whole).message, "");
  std::mt19937_64 random(5);
  const std::string alphabet = "{}[]\",:0123456789-+.eE\\utrfalsn \n\x01\x7f\x80\xff";
  int broken = 0;
  constexpr int rounds = 20000;
  for (int i = 0; i < rounds; ++i) {
    std::string text = whole;
    for (auto edits = 1 + random() % 3; edits > 0 && !text.empty(); --edits) {
      const auto at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 6);
          break;
        default:
          text.insert(at, 1, alphabet[random() % alphabet.size()]);
      }
    }
    const auto p = problem_of(text);
    if (!p.message.empty()) {
      ++broken;
      EXPECT_THAT(p.where, HasSubstr("t.jsonl:"));
    }
  }
  EXPECT_GT(broken, rounds / 2);
}

}  // namespace
}  // namespace memwall::trace
