// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "traces/file.h"
#include "traces/generator.h"
#include "traces/importer.h"
#include "traces/totals.h"

namespace memwall::trace {
namespace {
namespace fs = std::filesystem;

std::unique_ptr<op_stream> from_text(const std::string& text) {
  return read_stream(std::make_unique<std::istringstream>(text), "t.jsonl");
}

// What a script would write: nothing but what matters.
workload eight_positions() {
  workload w;
  w.context = 8;
  return w;
}

TEST(file, short_form) {
  auto t = from_text(R"({"memwall_trace":1}
{"tensor":"w","class":"weights","shape":[8,4]}
{"tensor":"x","class":"activations","dtype":"int8","bytes":100,"_note":"comments start with an underscore"}

{"op":"first","kind":"gemm","m":2,"n":8,"k":4,"reads":["w",["x",8]],"writes":[["x",16,50]]}
{"op":"second","kind":"elementwise","vector_flops":7}
{"op":"third","kind":"elementwise","deps":[]}
{"end":3}
)");
  const auto& tensors = t->header().tensors;
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].bytes, 8 * 4 * 2);  // fp16 unless said otherwise
  EXPECT_EQ(tensors[1].bytes, 100);
  op o;
  ASSERT_TRUE(t->next(o));
  EXPECT_EQ(o.matmul_flops, 2 * 2 * 8 * 4);
  EXPECT_EQ(o.group, "first");
  EXPECT_TRUE(o.deps.empty());
  ASSERT_EQ(o.uses.size(), 3u);
  EXPECT_EQ(o.uses[0], (tensor_use{0, access::read, 0, 64}));
  EXPECT_EQ(o.uses[1], (tensor_use{1, access::read, 0, 8}));
  EXPECT_EQ(o.uses[2], (tensor_use{1, access::write, 50, 16}));
  ASSERT_TRUE(t->next(o));
  EXPECT_EQ(o.deps, std::vector<std::uint64_t>{0});
  EXPECT_EQ(o.vector_flops, 7);
  EXPECT_TRUE(o.uses.empty());
  ASSERT_TRUE(t->next(o));
  EXPECT_TRUE(o.deps.empty());
  EXPECT_FALSE(t->next(o));
  EXPECT_FALSE(t->next(o));
}

TEST(file, escapes_and_crlf) {
  auto t = from_text(
      "{\"memwall_trace\": 1, \"model\": \"\\u00e9\\ud83d\\ude00\\n\\\"\"}\r\n{\"op\" : \"a\\/b\", "
      "\"kind\":\"sample\" }\r\n{\"end\":1}");
  EXPECT_EQ(t->header().model, "\xc3\xa9\xf0\x9f\x98\x80\n\"");
  op o;
  ASSERT_TRUE(t->next(o));
  EXPECT_EQ(o.name, "a/b");
  EXPECT_FALSE(t->next(o));
}

TEST(file, empty_trace) {
  auto t = from_text("{\"memwall_trace\":1}\n{\"end\":0}\n");
  op o;
  EXPECT_FALSE(t->next(o));
}

TEST(file, samples_are_what_the_generator_makes) {
  const auto folder = fs::path(MEMWALL_SOURCE_DIR) / "traces" / "samples";
  const auto m = load_model((folder / "tiny").string());
  int checked = 0;
  for (const auto& [name, phases] :
       {std::pair{"tiny-prefill.jsonl", workload::phases::prefill}, {"tiny-decode.jsonl", workload::phases::decode}}) {
    workload w;
    w.phase = phases;
    w.prompt = 8;
    if (phases == workload::phases::decode) w.context = 8;
    w.tokens = 2;
    w.types = dtypes::parse("int4g32");
    std::ostringstream made;
    auto g = generate(m, w);
    write(*g, made);
    std::ifstream in(folder / name);
    std::ostringstream kept;
    kept << in.rdbuf();
    EXPECT_EQ(kept.str(), made.str()) << name << ": memwall trace --model traces/samples/tiny --dtype int4g32 ... -o "
                                      << name;
    ++checked;
  }
  EXPECT_EQ(checked, 2);
}

TEST(file, every_shipped_sample_reads) {
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(MEMWALL_SOURCE_DIR) / "traces" / "samples")) {
    if (entry.is_directory()) continue;
    auto t = open(entry.path().string(), "", dtypes{});
    EXPECT_GT(sum_of(*t).ops, 0) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 3);
}

TEST(file, written_under_its_name_only_when_complete) {
  const auto folder = fs::path(testing::TempDir()) / ("memwall-trace-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const auto path = folder / "t.jsonl";
  struct failing final : op_stream {
    trace::header h;
    const trace::header& header() const override { return h; }
    bool next(op&) override { throw input_error(problem{"", "", "stopped half way", "", ""}); }
  } broken;
  EXPECT_THROW(write_file(broken, path.string()), input_error);
  EXPECT_TRUE(fs::is_empty(folder));
  auto g = generate(load_model("gpt-2"), eight_positions());
  EXPECT_EQ(write_file(*g, path.string()), g->size());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator{}), 1);
  auto back = read_file(path.string());
  EXPECT_EQ(sum_of(*back).ops, g->size());
  fs::remove_all(folder);
}

/// Why a trace of so many tokens cannot be written there; "": it can.
std::string why_not(const std::string& path, std::int64_t tokens) {
  workload w = eight_positions();
  w.tokens = tokens;
  auto g = generate(load_model("gpt-2"), w);
  try {
    write_file(*g, path);
  } catch (const input_error& e) {
    return e.problems().front().where + ": " + e.problems().front().message;
  }
  return "";
}

TEST(file, unwritable_places) {
  EXPECT_EQ(why_not("/nonexistent/t.jsonl", 1), "/nonexistent/t.jsonl: cannot be written: No such file or directory");
  EXPECT_EQ(why_not("", 1), ": cannot be written: the name is empty");
  EXPECT_EQ(why_not("/", 1), "/: cannot be written: it is a folder");
  EXPECT_EQ(why_not("/dev/null", 1), "") << "a device is written to as it is";
  // The device takes nothing: seen when it is closed, or before the end of a trace of many blocks.
  for (const std::int64_t tokens : {1, 40}) {
    if (!fs::exists("/dev/full")) continue;
    EXPECT_EQ(why_not("/dev/full", tokens), "/dev/full: cannot be written: No space left on device");
  }
}

/// A trace that is never in memory: the lines are made as they are read.
class endless final : public std::streambuf {
 public:
  explicit endless(std::int64_t ops) : m_ops(ops) {}

 private:
  int_type underflow() override {
    m_line.clear();
    if (m_next == -2) {
      m_line = "{\"memwall_trace\":1}\n";
    } else if (m_next == -1) {
      m_line = "{\"tensor\":\"layers.0.attn.qkv\",\"class\":\"weights\",\"shape\":[4096,4096]}\n";
    } else {
      for (int i = 0; i < 100 && m_next < m_ops; ++i, ++m_next)
        m_line += "{\"op\":\"layers.0.attn.qkv\",\"id\":" + std::to_string(m_next) +
                  ",\"kind\":\"gemm\",\"layer\":0,\"phase\":\"decode\",\"m\":1,\"n\":4096,\"k\":4096,"
                  "\"reads\":[\"layers.0.attn.qkv\"]}\n";
      if (m_next == m_ops)
        m_line += "{\"end\":" + std::to_string(m_next++) + "}\n";
      else if (m_next > m_ops)
        return traits_type::eof();
      setg(m_line.data(), m_line.data(), m_line.data() + m_line.size());
      return traits_type::to_int_type(m_line[0]);
    }
    ++m_next;
    setg(m_line.data(), m_line.data(), m_line.data() + m_line.size());
    return traits_type::to_int_type(m_line[0]);
  }

  std::int64_t m_ops, m_next = -2;
  std::string m_line;
};

std::int64_t resident_kib() {
  std::ifstream in("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE) / 1024;
}

TEST(file, a_million_operators_in_bounded_memory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps what is freed";
#endif
  struct stream final : std::istream {
    endless buffer;
    explicit stream(std::int64_t n) : std::istream(nullptr), buffer(n) { rdbuf(&buffer); }
  };
  auto t = read_stream(std::make_unique<stream>(1'000'000), "endless");
  op o;
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(t->next(o));
  const auto before = resident_kib();
  std::int64_t count = 10'000;
  while (t->next(o)) ++count;
  EXPECT_EQ(count, 1'000'000);
  EXPECT_LT(resident_kib() - before, 1024) << "KiB more after 990,000 operators (150 MB of text)";
}

}  // namespace
}  // namespace memwall::trace
