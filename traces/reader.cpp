// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <unordered_map>

#include "hw/common/error.h"
#include "hw/common/text_file.h"
#include "traces/defaults.h"
#include "traces/file.h"
#include "traces/json_line.h"
#include "traces/words.h"

namespace memwall::trace {
namespace {

/// Lines of a stream, from one buffer that grows to the longest line.
class line_source {
 public:
  line_source(std::unique_ptr<std::istream> in, std::string name) : m_in(std::move(in)), m_name(std::move(name)) {}

  /// False at the end of the file.
  bool next(std::string_view& line) {
    for (std::size_t searched = m_begin;;) {
      const char* first = m_buffer.data() + searched;
      if (const void* found = std::memchr(first, '\n', m_end - searched)) {
        const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - m_buffer.data());
        line = std::string_view(m_buffer).substr(m_begin, at - m_begin);
        m_begin = at + 1;
        return accept(line);
      }
      searched = m_end - m_begin;
      if (!fill()) {
        if (m_begin == m_end) return false;
        line = std::string_view(m_buffer).substr(m_begin, m_end - m_begin);
        m_begin = m_end;
        return accept(line);
      }
    }
  }
  std::string where() const { return m_name + ":" + std::to_string(m_number); }
  const std::string& name() const { return m_name; }

 private:
  static constexpr std::size_t first_block = 1 << 13, largest_block = 1 << 18, longest = 64u << 20;

  bool accept(std::string_view& line) {
    if (++m_number == 1) line = without_mark(line);
    check_utf8(line, m_name, m_number);
    return true;
  }

  /// Moves the unread part to the front and reads more behind it.
  bool fill() {
    const std::size_t kept = m_end - m_begin;
    if (kept > longest)
      throw input_error(problem{m_name + ":" + std::to_string(m_number + 1), "", "a line of more than 64 MiB",
                                "one operator a line", ""});
    std::memmove(m_buffer.data(), m_buffer.data() + m_begin, kept);
    m_begin = 0;
    m_end = kept;
    const std::size_t block = std::clamp(m_buffer.size(), first_block, largest_block);
    if (m_buffer.size() < kept + block) m_buffer.resize(kept + block);
    m_in->read(m_buffer.data() + m_end, static_cast<std::streamsize>(m_buffer.size() - m_end));
    m_end += static_cast<std::size_t>(m_in->gcount());
    return m_in->gcount() > 0;
  }

  std::unique_ptr<std::istream> m_in;
  std::string m_name, m_buffer;
  std::size_t m_begin = 0, m_end = 0;
  std::int64_t m_number = 0;
};

template <class Enum, std::size_t N>
Enum word(json_line& in, const std::array<std::string_view, N>& words, const char* what) {
  const auto text = in.text();
  if (const auto found = find_word<Enum>(words, text)) return *found;
  in.fail("unknown " + std::string(what) + " '" + std::string(text) + "'", "one of: " + joined(words),
          nearest_name(text, all_words(words)));
}

const std::vector<std::string> header_keys = {"memwall_trace", "model", "origin", "workload"};
const std::vector<std::string> workload_keys = {"phase",  "batch",         "prompt", "context",
                                                "tokens", "prefill_chunk", "dtype",  "seed"};
const std::vector<std::string> tensor_keys = {"tensor", "class", "dtype", "shape", "layer", "bytes", "parts"};
const std::vector<std::string> op_keys = {
    "op", "id",     "kind",  "layer",        "phase",        "step",       "group",   "m",
    "n",  "k",      "batch", "heads",        "kv_heads",     "group_rows", "choices", "shard",
    "in", "weight", "out",   "matmul_flops", "vector_flops", "reads",      "writes",  "deps"};
enum op_key : std::size_t {
  k_op,
  k_id,
  k_kind,
  k_layer,
  k_phase,
  k_step,
  k_group,
  k_m,
  k_n,
  k_k,
  k_batch,
  k_heads,
  k_kv_heads,
  k_group_rows,
  k_choices,
  k_shard,
  k_in,
  k_weight,
  k_out,
  k_matmul_flops,
  k_vector_flops,
  k_reads,
  k_writes,
  k_deps
};

/// Keys of one line: finds the index, refuses unknown and repeated ones. Keys that start with '_' are
/// comments.
class key_set {
 public:
  explicit key_set(const std::vector<std::string>& known) : m_known(known) {}
  static constexpr std::size_t comment = SIZE_MAX;

  std::size_t take(json_line& in, std::string_view key) {
    if (!key.empty() && key[0] == '_') return in.skip(), comment;
    // Lines are mostly written by one program in one order: look behind the last hit first.
    for (std::size_t i = 0; i < m_known.size(); ++i) {
      const std::size_t at = (m_last + i) % m_known.size();
      if (m_known[at] != key) continue;
      if (has(at)) in.fail("given twice", "each key once");
      m_seen |= std::uint64_t{1} << at;
      m_last = at + 1;
      return at;
    }
    in.fail("unknown key", "one of: " + joined(m_known), nearest_name(key, m_known));
  }
  bool has(std::size_t at) const { return ((m_seen >> at) & 1) != 0; }

 private:
  const std::vector<std::string>& m_known;
  std::uint64_t m_seen = 0;
  std::size_t m_last = 0;
};

class reader final : public op_stream {
 public:
  reader(std::unique_ptr<std::istream> in, const std::string& name) : m_lines(std::move(in), name) { read_start(); }

  const trace::header& header() const override { return m_header; }

  bool next(op& out) override {
    if (m_done) return false;
    if (!m_has_line) take_line("operators");
    m_has_line = false;
    json_line in(m_line, m_where = m_lines.where());
    std::string_view key;
    if (!in.next_key(key)) in.fail("an empty object", "an operator, or the end line");
    if (key == "end") {
      read_end(in);
      return false;
    }
    read_op(in, key, out);
    ++m_count;
    return true;
  }

 private:
  /// The next line that is not blank; the file must not end before its end line.
  void take_line(const char* what) {
    do {
      if (!m_lines.next(m_line))
        throw input_error(problem{m_lines.where(), "",
                                  "the file ends among its " + std::string(what) + ", after " +
                                      std::to_string(m_count) + " operators: it is truncated",
                                  "an end line such as {\"end\":" + std::to_string(m_count) + "}", ""});
    } while (m_line.find_first_not_of(" \t\r") == std::string_view::npos);
  }

  dtype type(json_line& in) {
    const auto text = in.text();
    for (const auto& [name, type] : m_types)
      if (name == text) return type;
    try {
      m_types.emplace_back(std::string(text), dtype::parse(text));
    } catch (const input_error& e) {
      const auto& p = e.problems().front();
      in.fail(p.message, p.expected, p.nearest);
    }
    return m_types.back().second;
  }

  void read_start() {
    take_line("header");
    json_line first(m_line, m_where = m_lines.where());
    read_header(first);
    for (;;) {
      take_line("tensors");
      json_line in(m_line, m_where = m_lines.where());
      std::string_view key;
      if (!in.next_key(key)) in.fail("an empty object", "a tensor, an operator, or the end line");
      if (key != "tensor") break;
      read_tensor(in, key);
    }
    m_has_line = true;
  }

  void read_header(json_line& in) {
    key_set seen(header_keys);
    bool first = true;
    for (std::string_view key; in.next_key(key); first = false) {
      if (first && key != "memwall_trace")
        in.fail("is the first key of the file", "a header line such as {\"memwall_trace\":1,...}");
      switch (seen.take(in, key)) {
        case 0:
          m_header.version = static_cast<int>(in.integer(0, INT32_MAX));
          if (m_header.version != format_version)
            in.fail("got version " + std::to_string(m_header.version), "version " + std::to_string(format_version));
          break;
        case 1:
          m_header.model = in.text();
          break;
        case 2:
          m_header.origin = in.text();
          break;
        case 3:
          read_workload(in);
          break;
        default:
          break;
      }
    }
    in.end();
    if (!seen.has(0)) in.fail("an empty header", "a header line such as {\"memwall_trace\":1,...}");
  }

  void read_workload(json_line& in) {
    auto& w = m_header.workload;
    key_set seen(workload_keys);
    in.members([&](std::string_view key) {
      switch (seen.take(in, key)) {
        case 0:
          w.phase = word<workload::phases>(in, phases_words, "phase");
          break;
        case 1:
          w.batch = in.integer(1, most_index);
          break;
        case 2:
          w.prompt = in.integer(1, most_index);
          break;
        case 3:
          w.context = in.integer(1, most_index);
          break;
        case 4:
          w.tokens = in.integer(1, most_index);
          break;
        case 5:
          w.prefill_chunk = in.integer(0, most_index);
          break;
        case 6:
          w.types = read_types(in);
          break;
        case 7:
          w.seed = static_cast<std::uint64_t>(in.integer(0, INT64_MAX));
          break;
        default:
          break;
      }
    });
  }

  static dtypes read_types(json_line& in) {
    try {
      return dtypes::parse(in.text());
    } catch (const input_error& e) {
      const auto& p = e.problems().front();
      in.fail(p.message, p.expected, p.nearest);
    }
  }

  void read_tensor(json_line& in, std::string_view key) {
    tensor t;
    t.type = m_header.workload.types.activations;
    key_set seen(tensor_keys);
    do {
      switch (seen.take(in, key)) {
        case 0:
          t.name = in.text();
          if (t.name.empty()) in.fail("an empty name");
          break;
        case 1:
          t.cls = word<tensor_class>(in, class_words, "class");
          break;
        case 2:
          t.type = type(in);
          break;
        case 3:
          in.each([&] { t.shape.push_back(in.integer(1, most_elements)); });
          if (t.shape.empty() || t.shape.size() > 8)
            in.fail("got " + std::to_string(t.shape.size()) + " dimensions", "1 to 8");
          break;
        case 4:
          t.layer = in.integer(-1, most_index);
          break;
        case 5:
          t.bytes = in.integer(1, most_bytes);
          break;
        case 6:
          t.parts = in.text();
          break;
        default:
          break;
      }
    } while (in.next_key(key));
    in.end();
    if (!seen.has(1)) in.fail("tensor '" + t.name + "' has no class", "\"class\": one of: " + joined(class_words));
    if (!seen.has(5)) {
      const auto bytes = default_bytes(t);
      if (!bytes || *bytes > most_bytes)
        in.fail("tensor '" + t.name + "' has neither bytes nor a shape that gives them",
                "\"bytes\": 1 to " + std::to_string(most_bytes));
      t.bytes = *bytes;
    }
    if (!m_index.emplace(t.name, static_cast<std::uint32_t>(m_header.tensors.size())).second)
      in.fail("tensor '" + t.name + "' is declared twice", "each tensor once");
    m_header.tensors.push_back(std::move(t));
  }

  void read_op(json_line& in, std::string_view key, op& out) {
    if (key == "tensor") in.fail("a tensor after the first operator", "all tensors before the operators");
    if (key == "memwall_trace") in.fail("a second header", "one header a file");
    if (key != "op") in.fail("is the first key of the line", "\"op\", \"tensor\" or \"end\"");
    reset(out);
    key_set seen(op_keys);
    do read_field(in, seen.take(in, key), out);
    while (in.next_key(key));
    in.end();
    finish(in, seen, out);
  }

  void reset(op& o) const {
    o.id = static_cast<std::uint64_t>(m_count);
    o.kind = op_kind::gemm;
    o.layer = -1;
    o.phase = m_header.workload.phase == workload::phases::prefill ? phase::prefill : phase::decode;
    o.step = 0;
    o.m = o.n = o.k = o.batch = 1;
    o.heads = o.kv_heads = 0;
    o.group_rows.clear();
    o.choices = 0;
    o.shard = shard::none;
    o.matmul_flops = o.vector_flops = 0;
    o.uses.clear();
    o.deps.clear();
  }

  void read_field(json_line& in, std::size_t key, op& o) {
    switch (key) {
      case k_op:
        o.name = in.text();
        if (o.name.empty()) in.fail("an empty name");
        break;
      case k_id:
        if (const auto id = in.integer(0, most_index); id != m_count)
          in.fail("got " + std::to_string(id), std::to_string(m_count) + ": operators are numbered 0, 1, 2, ...");
        break;
      case k_kind:
        o.kind = word<op_kind>(in, kind_words, "kind");
        break;
      case k_layer:
        o.layer = in.integer(-1, most_index);
        break;
      case k_phase:
        o.phase = word<phase>(in, phase_words, "phase");
        break;
      case k_step:
        o.step = in.integer(0, most_index);
        break;
      case k_group:
        o.group = in.text();
        break;
      case k_m:
        o.m = in.integer(1, most_elements);
        break;
      case k_n:
        o.n = in.integer(1, most_elements);
        break;
      case k_k:
        o.k = in.integer(1, most_elements);
        break;
      case k_batch:
        o.batch = in.integer(1, most_elements);
        break;
      case k_heads:
        o.heads = in.integer(0, most_index);
        break;
      case k_kv_heads:
        o.kv_heads = in.integer(0, most_index);
        break;
      case k_group_rows:
        in.each([&] { o.group_rows.push_back(in.integer(1, most_elements)); });
        break;
      case k_choices:
        o.choices = in.integer(0, most_index);
        break;
      case k_shard:
        o.shard = word<shard>(in, shard_words, "shard");
        break;
      case k_in:
        o.input = type(in);
        break;
      case k_weight:
        o.weight = type(in);
        break;
      case k_out:
        o.output = type(in);
        break;
      case k_matmul_flops:
        o.matmul_flops = in.integer(0, most_flops);
        break;
      case k_vector_flops:
        o.vector_flops = in.integer(0, most_flops);
        break;
      case k_reads:
        in.each([&] { read_use(in, access::read, o); });
        break;
      case k_writes:
        in.each([&] { read_use(in, access::write, o); });
        break;
      case k_deps:
        in.each([&] { read_dependency(in, o); });
        break;
      default:
        break;
    }
  }

  void read_dependency(json_line& in, op& o) const {
    const auto id = in.integer(0, most_index);
    if (id == m_count)
      in.fail("operator " + std::to_string(id) + " depends on itself", "operators that come before it");
    if (id > m_count)
      in.fail("operator " + std::to_string(m_count) + " depends on operator " + std::to_string(id) +
                  ", which does not come before it (an unknown operator, or a loop)",
              "operators 0 to " + std::to_string(m_count - 1));
    o.deps.push_back(static_cast<std::uint64_t>(id));
  }

  /// "name" is all of a tensor, ["name", bytes, offset] a part.
  void read_use(json_line& in, access what, op& o) {
    tensor_use u;
    u.what = what;
    if (in.at_text()) {
      u.tensor = tensor_named(in, in.text());
      u.bytes = m_header.tensors[u.tensor].bytes;
    } else {
      int field = 0;
      in.each([&] {
        if (field == 0)
          u.tensor = tensor_named(in, in.text());
        else if (field == 1)
          u.bytes = in.integer(1, most_bytes);
        else if (field == 2)
          u.offset = in.integer(0, most_bytes);
        else
          in.fail("too many elements in a use", "[\"tensor\", bytes, offset]");
        ++field;
      });
      if (field == 0) in.fail("an empty use", "[\"tensor\", bytes, offset]");
      const auto& t = m_header.tensors[u.tensor];
      if (field == 1) u.bytes = t.bytes;
      if (u.offset + u.bytes > t.bytes)
        in.fail("bytes " + std::to_string(u.offset) + " to " + std::to_string(u.offset + u.bytes) + " of tensor '" +
                    t.name + "'",
                "a part of its " + std::to_string(t.bytes) + " bytes");
    }
    o.uses.push_back(u);
  }

  std::uint32_t tensor_named(json_line& in, std::string_view name) {
    m_name.assign(name);
    if (const auto found = m_index.find(m_name); found != m_index.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& t : m_header.tensors) names.push_back(t.name);
    in.fail("unknown tensor '" + m_name + "'", "a tensor declared before the first operator",
            nearest_name(m_name, names));
  }

  void finish(json_line& in, const key_set& seen, op& o) const {
    const auto& types = m_header.workload.types;
    if (!seen.has(k_kind)) in.fail("operator '" + o.name + "' has no kind", "\"kind\": one of: " + joined(kind_words));
    if (is_gemm(o.kind) && !(seen.has(k_m) && seen.has(k_n) && seen.has(k_k)))
      in.fail("operator '" + o.name + "' has no m, n or k", "the three sizes of a " + std::string(name_of(o.kind)));
    if (!seen.has(k_group)) o.group = o.name;
    if (!seen.has(k_in)) o.input = types.activations;
    if (!seen.has(k_weight)) o.weight = default_weight(o.kind, types);
    if (!seen.has(k_out)) o.output = types.activations;
    // Cores cost an operator by its sizes, whatever number of operations stands beside them.
    std::optional<std::int64_t> operations = 2;
    for (const std::int64_t factor : {o.m, o.n, o.k, o.batch, std::max<std::int64_t>(1, o.heads)})
      if (operations) operations = product(*operations, factor);
    if (operations.value_or(INT64_MAX) > most_flops)
      in.fail("m, n, k and batch of operator '" + o.name + "' make more than 2^62 operations", "smaller sizes");
    if (!seen.has(k_matmul_flops)) o.matmul_flops = default_matmul_flops(o);
    if (!seen.has(k_deps) && o.id > 0) o.deps.push_back(o.id - 1);
    if (!o.group_rows.empty()) {
      std::int64_t sum = 0;
      for (const auto r : o.group_rows) sum = std::min(sum + r, most_elements + 1);
      if (sum != o.m)
        in.fail("group_rows of operator '" + o.name + "' sum to " + std::to_string(sum),
                "m, which is " + std::to_string(o.m));
    }
    if (o.choices > 0 && o.m % o.choices != 0)
      in.fail(std::to_string(o.choices) + " choices do not divide m, which is " + std::to_string(o.m), "a divisor");
    if (o.kv_heads > 0 && o.heads % o.kv_heads != 0)
      in.fail(std::to_string(o.kv_heads) + " kv_heads do not divide " + std::to_string(o.heads) + " heads",
              "a divisor");
  }

  void read_end(json_line& in) {
    const auto count = in.integer(0, most_index);
    std::string_view key;
    if (in.next_key(key)) in.fail("unknown key in the end line", "nothing");
    in.end();
    if (count != m_count)
      in.fail("the end line says " + std::to_string(count) + " operators, there are " + std::to_string(m_count),
              "the number of operators");
    while (m_lines.next(m_line))
      if (m_line.find_first_not_of(" \t\r") != std::string_view::npos)
        throw input_error(problem{m_lines.where(), "", "a line after the end line", "nothing", ""});
    m_done = true;
  }

  line_source m_lines;
  std::string_view m_line;
  std::string m_where, m_name;
  trace::header m_header;
  std::unordered_map<std::string, std::uint32_t> m_index;
  std::vector<std::pair<std::string, dtype>> m_types;  // few: the names seen so far
  std::int64_t m_count = 0;
  bool m_has_line = false, m_done = false;
};

}  // namespace

std::unique_ptr<op_stream> read_stream(std::unique_ptr<std::istream> in, const std::string& name) {
  return std::make_unique<reader>(std::move(in), name);
}

std::unique_ptr<op_stream> read_file(const std::string& path) {
  const char* const expected = "a trace file (JSON Lines)";
  check_regular_file(path, expected);
  auto in = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*in) throw input_error(problem{path, "", "cannot be read", expected, ""});
  return read_stream(std::move(in), path);
}

}  // namespace memwall::trace
