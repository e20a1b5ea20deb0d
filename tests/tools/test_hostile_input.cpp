// SPDX-License-Identifier: Apache-2.0
// Files and options that no one means well with, through the program: exit code 2 and words that lead to the place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using testing::HasSubstr;
using testing::Not;

namespace {

const std::string header = R"({"memwall_trace":1,"model":"m","workload":{"dtype":"fp16"}}
{"tensor":"w","class":"weights","shape":[64,64]}
{"tensor":"x","class":"activations","shape":[1,64]}
)";
/// A trace of one matrix product.
std::string trace_of(const std::string& sizes, const std::string& name = "a") {
  return header + R"({"op":")" + name + R"(","kind":"gemm",)" + sizes + R"(,"reads":["x","w"],"writes":["x"]})" +
         "\n{\"end\":1}\n";
}
const std::string small = R"("m":1,"n":64,"k":64)";

class hostile : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(dir / name, std::ios::binary) << text;
    return dir / name;
  }
  /// The program must refuse, in words that hold each of `says`.
  void refused(const std::string& arguments, const std::vector<std::string>& says) {
    const auto r = test::memwall(arguments, dir.path());
    EXPECT_EQ(r.exit_code, 2) << arguments << "\n" << r.err;
    for (const auto& words : says) EXPECT_THAT(r.err, HasSubstr(words)) << arguments;
    EXPECT_EQ(r.out, "") << arguments;
  }
  std::string run_trace(const std::string& trace, const std::string& platform = "von_neumann_h100") {
    return "run --quiet --platform " + platform + " --trace " + write("t.jsonl", trace);
  }
  test::temp_dir dir;
};

TEST_F(hostile, recursive_and_multiplying_aliases_wherever_yaml_is_read) {
  const std::string loop = write("loop.yaml", "base: von_neumann_h100\ndescription: &a [*a]\n");
  std::string bomb = "x0: &x0 [lol]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k > 0 ? ", *x" : "*x") + std::to_string(i - 1);
    bomb += "]\n";
  }
  const std::string many = write("many.yaml", bomb);
  const std::string trace = write("ok.jsonl", trace_of(small));
  for (const std::string& command : {"run --trace " + trace + " --platform ", std::string("dram --standard "),
                                     std::string("accuracy --macro "), "sweep --out " + (dir / "o") + " "}) {
    refused(command + loop, {loop + ":2: an alias stands inside"});
    refused(command + many, {many + ":7: the file becomes too large here"});
  }
  refused("run --platform von_neumann_h100 --trace " + trace + " --set 'gpu.sms=&a [*a]'",
          {"--set gpu.sms=&a [*a]: an alias stands inside"});
}

TEST_F(hostile, what_is_no_file_is_not_waited_for) {
  const std::string pipe = dir / "pipe.yaml";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const std::string trace = write("ok.jsonl", trace_of(small));
  refused("run --platform " + pipe + " --trace " + trace, {pipe + ": is a pipe, not a file"});
  refused("run --platform von_neumann_h100 --trace " + pipe, {pipe + ": is a pipe, not a file"});
  refused("run --platform von_neumann_h100 --trace /dev/zero", {"/dev/zero: is a device, not a file"});
  refused("fit --device h100 --model " + pipe, {"is a pipe, not a file"});
  refused("dram --standard " + pipe, {"is a pipe, not a file"});
  refused("accuracy --macro hermes --weights " + dir.path(), {"is a directory, not a file"});
  refused("trace -o - --from " + pipe + " --importer gemm_csv", {"is a pipe, not a file"});
}

TEST_F(hostile, json_and_yaml_that_would_be_read_in_part) {
  refused("run --model gpt-2 --platform " + write("two.yaml", "base: von_neumann_h100\n---\nbase: cim_sram\n"),
          {"two.yaml:2: a second document begins"});
  refused("run --model gpt-2 --platform " + write("bytes.yaml", "base: von_neumann_h100\ndescription: \xff\xfe\n"),
          {"bytes.yaml:2: byte 14 of the line (0xff) is not UTF-8"});
  refused("trace -o - --model " + write("config.json", "{\n \"model_type\": \"llama\", // a\n \"vocab_size\": 3}"),
          {"config.json:2: a comment"});
  std::string deep;
  for (int i = 0; i < 200000; ++i) deep += "{\"a\":";
  refused("report -o " + (dir / "r.html") + " " + write("deep.json", deep),
          {"deep.json: objects and lists lie too deep"});
  refused(run_trace(trace_of(small, "a\xff\xfe")), {"t.jsonl:4: byte 9 of the line (0xff) is not UTF-8"});
}

// 2^120 and 2^81 operations; 2^61 on an array that gives each vector its time.
TEST_F(hostile, operators_beyond_the_arithmetic_are_named) {
  const std::string huge = "1099511627776";
  refused(run_trace(trace_of("\"m\":" + huge + ",\"n\":" + huge + ",\"k\":" + huge + ",\"matmul_flops\":4", "big"),
                    "cim_sram"),
          {"t.jsonl:4:", "operator 'big'", "more than 2^62 operations"});
  refused(run_trace(trace_of("\"m\":" + huge + ",\"n\":" + huge + ",\"k\":1,\"matmul_flops\":1", "wide"), "cim_sram"),
          {"operator 'wide'"});
  for (const char* platform : {"cim_sram", "cim_analog", "cim_dram"}) {
    std::string trace = trace_of("\"m\":" + huge + ",\"n\":1000,\"k\":1000", "long");
    trace.replace(trace.find("fp16"), 4, "int8/fp16/fp16");
    const std::string weights = "\"class\":\"weights\"";
    trace.insert(trace.find(weights) + weights.size(), ",\"dtype\":\"int8\"");
    refused(run_trace(trace, platform), {"operator 'long' is too large", "9,000 s"});
  }
}

TEST_F(hostile, problems_of_hardware_say_where_they_were_written) {
  const std::string trace = " --trace " + write("ok.jsonl", trace_of(small));
  const std::string base = "base: von_neumann_h100\nmodules:\n  hbm:\n    ";
  refused("run --platform " + write("map.yaml", base + "map: row row row\n") + trace,
          {"map.yaml:4: modules.hbm.map: 'row row row'"});
  refused("run --platform " + write("size.yaml", base + "channels: 1\n    size: 8 TiB\n") + trace,
          {"size.yaml:5: modules.hbm.size: got 8 TiB", "no size (all there is), or at most"});
  refused("run --platform " + write("standard.yaml", base + "standard: HBM9\n") + trace,
          {"standard.yaml:4: modules.hbm.standard: unknown DRAM standard 'HBM9'"});
  refused("run --platform " + write("name.yaml", "base: von_neumann_h100\nmodules: {\"a b\": {type: dram}}\n") + trace,
          {"name.yaml:2: modules.a b: is no name for a module"});
  refused(
      "run --platform " + write("soft.yaml", "base: von_neumann_h100\nsoftware: ../presets/von_neumann_h100\n") + trace,
      {"soft.yaml:2: software: unknown software preset '../presets/von_neumann_h100'", "one of: ", "llama_cpp"});
  refused("run --platform " + write("list.yaml", "base: von_neumann_h100\nsoftware: [a]\n") + trace,
          {"list.yaml:2: software: is not text"});
  refused("run --platform von_neumann_h100 --set gpu.count=1000000" + trace,
          {"gpu.count", "an integer from 1 to 1024"});
  refused("run --platform cim_analog --set cim.macro.voltage='1 uV'" + trace, {"cim.macro", "--set cim.macro.voltage"});
  refused("run --platform h100" + trace, {"unknown platform 'h100'", "did you mean 'von_neumann_h100'?"});
  refused("run --plaform von_neumann_h100" + trace, {"did you mean '--platform'?"});
  refused("rum --platform von_neumann_h100" + trace, {"did you mean 'run'?"});
}

// HBM3 of the preset: a channel holds 512 MiB, 160 of them the 80 GiB of which it gives 81000 MiB.
TEST_F(hostile, a_preset_s_size_does_not_stand_against_fewer_channels) {
  const auto r = test::memwall(
      "run --json --platform von_neumann_h100 --set hbm.channels=80 --trace " + write("ok.jsonl", trace_of(small)),
      dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_THAT(r.out + r.err, HasSubstr("note: modules.hbm.size: 40 GiB, all that 80 channels of HBM3 hold"));
  const auto result = r.json();
  EXPECT_EQ(result["config"]["platform"]["modules"]["hbm"]["size"], "40 GiB");
  ASSERT_EQ(result["notes"].size(), 1u);
  refused("run --platform von_neumann_h100 --set hbm.channels=80 --set hbm.size='64 GiB' --trace " + (dir / "ok.jsonl"),
          {"--set hbm.size=64 GiB: modules.hbm.size: got 64 GiB"});
}

TEST_F(hostile, sizes_of_transfers_take_units) {
  const std::string trace = " --trace " + write("ok.jsonl", trace_of(small)) + " --json --platform von_neumann_h100";
  const auto bytes = test::memwall("run --transfer-bytes 65536" + trace),
             units = test::memwall("run --transfer-bytes '64 KiB'" + trace);
  ASSERT_EQ(units.exit_code, 0) << units.err;
  EXPECT_EQ(bytes.json()["summary"], units.json()["summary"]);
  refused("run --transfer-bytes '64 Kib'" + trace, {"--transfer-bytes", "such as 65536 or 64 KiB"});
  refused("run --transfer-bytes '0.5 B'" + trace, {"--transfer-bytes"});
}

TEST_F(hostile, the_command_in_a_result_can_be_pasted_into_a_shell) {
  const auto r =
      test::memwall("run --json --platform von_neumann_h100 --set 'description=it'\\''s $HOME; ls' --trace " +
                        write("t ok.jsonl", trace_of(small)).replace(dir.path().size(), 3, "/t\\ "),
                    dir.path());
  ASSERT_EQ(r.exit_code, 0) << r.err;
  const std::string command = r.json()["provenance"]["command"];
  EXPECT_THAT(command, HasSubstr("--set 'description=it'\\''s $HOME; ls'"));
  EXPECT_THAT(command, HasSubstr("/t ok.jsonl'"));
}

std::string npy(const std::string& shape, const std::string& data) {
  std::string head = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  head.append((64 - (10 + head.size() + 1) % 64) % 64, ' ');
  head += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(head.size() & 255) +
         static_cast<char>(head.size() >> 8) + head + data;
}

TEST_F(hostile, arrays_that_cannot_be_measured) {
  const std::string command = "accuracy --macro hermes --weights ";
  refused(command + write("digits.npy", npy("(9223372036854775808, )", "")),
          {"digits.npy: has the shape (9223372036854775808, )"});
  refused(command + write("minus.npy", npy("(-2, 2)", std::string(16, '\0'))), {"minus.npy: has the shape (-2, 2)"});
  refused(command + write("product.npy", npy("(1048577, 1048577)", "")), {"has the shape (1048577, 1048577)"});
  refused(command + write("zero.npy", npy("(2, 2)", std::string(16, '\0'))), {"zero.npy: all weights are zero"});
  refused("accuracy --macro hermes --layer 2x2 --inputs " + write("in.npy", npy("(1, 2)", std::string(8, '\0'))),
          {"in.npy: all inputs are zero"});
}

TEST_F(hostile, tables_with_more_cells_than_columns) {
  const auto from = [&](const std::string& table) {
    return "trace --dtype int8 -o - --quiet --from " + write("g.csv", table);
  };
  refused(from("name,M,N,K\nq,1,1,024,256\n"), {"g.csv:2: 5 cells under 4 columns: '256' is one too many"});
  refused(from("name,M,N,K\nq,1,\"1,024\",256\n"), {"g.csv:2: N: got '1,024'"});
  for (const char* table : {"\xef\xbb\xbfname,M,N,K\nq,1,16,32\n", "\"name\",\"M\",\"N\",\"K\"\r\n\"q\",1,16,32\r\n",
                            "name,M,N,K,\nq,1,16,32,\n"}) {
    const auto r = test::memwall(from(table));
    EXPECT_EQ(r.exit_code, 0) << r.err;
    EXPECT_THAT(r.out, HasSubstr("\"op\":\"q\"")) << table;
    EXPECT_THAT(r.out, HasSubstr("\"n\":16,\"k\":32")) << table;
  }
}

}  // namespace
