// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "hw/common/error.h"
#include "traces/defaults.h"
#include "traces/file.h"
#include "traces/words.h"

namespace memwall::trace {
namespace {

using buffer = fmt::memory_buffer;

void text(buffer& out, std::string_view s) {
  out.push_back('"');
  for (const char c : s) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void raw(buffer& out, std::string_view s) {
  out.append(s.data(), s.data() + s.size());
}

void key(buffer& out, std::string_view name) {
  raw(out, ",\"");
  raw(out, name);
  raw(out, "\":");
}

void member(buffer& out, std::string_view name, std::string_view value) {
  key(out, name);
  text(out, value);
}

void member(buffer& out, std::string_view name, std::int64_t value) {
  key(out, name);
  fmt::format_to(std::back_inserter(out), "{}", value);
}

template <class Number>
void list(buffer& out, std::string_view name, const std::vector<Number>& values) {
  key(out, name);
  fmt::format_to(std::back_inserter(out), "[{}]", fmt::join(values, ","));
}

void write_header(buffer& out, const header& h) {
  fmt::format_to(std::back_inserter(out), "{{\"memwall_trace\":{}", h.version);
  member(out, "model", h.model);
  member(out, "origin", h.origin);
  const auto& w = h.workload;
  fmt::format_to(std::back_inserter(out),
                 ",\"workload\":{{\"phase\":\"{}\",\"batch\":{},\"prompt\":{},\"context\":{},\"tokens\":{},"
                 "\"prefill_chunk\":{},\"dtype\":\"{}\",\"seed\":{}}}}}\n",
                 name_of(w.phase), w.batch, w.prompt, w.context, w.tokens, w.prefill_chunk, w.types.name(), w.seed);
}

void write_tensor(buffer& out, const tensor& t) {
  raw(out, "{\"tensor\":");
  text(out, t.name);
  member(out, "class", name_of(t.cls));
  member(out, "dtype", t.type.name());
  list(out, "shape", t.shape);
  if (t.layer >= 0) member(out, "layer", t.layer);
  if (const auto bytes = default_bytes(t); !bytes || *bytes != t.bytes) member(out, "bytes", t.bytes);
  if (!t.parts.empty()) member(out, "parts", t.parts);
  raw(out, "}\n");
}

void write_uses(buffer& out, const op& o, access what, std::string_view name, const std::vector<tensor>& tensors) {
  bool any = false;
  for (const auto& u : o.uses) {
    if (u.what != what) continue;
    if (!any) {
      key(out, name);
      out.push_back('[');
    } else {
      out.push_back(',');
    }
    any = true;
    const auto& t = tensors[u.tensor];
    if (u.offset == 0 && u.bytes == t.bytes) {
      text(out, t.name);
      continue;
    }
    out.push_back('[');
    text(out, t.name);
    fmt::format_to(std::back_inserter(out), ",{}", u.bytes);
    if (u.offset != 0) fmt::format_to(std::back_inserter(out), ",{}", u.offset);
    out.push_back(']');
  }
  if (any) out.push_back(']');
}

void write_op(buffer& out, const op& o, const header& h) {
  raw(out, "{\"op\":");
  text(out, o.name);
  member(out, "id", static_cast<std::int64_t>(o.id));
  member(out, "kind", name_of(o.kind));
  if (o.layer >= 0) member(out, "layer", o.layer);
  member(out, "phase", name_of(o.phase));
  if (o.step != 0) member(out, "step", o.step);
  if (o.group != o.name) member(out, "group", o.group);
  member(out, "m", o.m);
  member(out, "n", o.n);
  member(out, "k", o.k);
  if (o.batch != 1) member(out, "batch", o.batch);
  if (o.heads != 0) member(out, "heads", o.heads);
  if (o.kv_heads != 0) member(out, "kv_heads", o.kv_heads);
  if (!o.group_rows.empty()) list(out, "group_rows", o.group_rows);
  if (o.choices != 0) member(out, "choices", o.choices);
  if (o.shard != shard::none) member(out, "shard", name_of(o.shard));
  const auto& types = h.workload.types;
  if (o.input != types.activations) member(out, "in", o.input.name());
  if (o.weight != default_weight(o.kind, types)) member(out, "weight", o.weight.name());
  if (o.output != types.activations) member(out, "out", o.output.name());
  if (o.matmul_flops != default_matmul_flops(o)) member(out, "matmul_flops", o.matmul_flops);
  if (o.vector_flops != 0) member(out, "vector_flops", o.vector_flops);
  write_uses(out, o, access::read, "reads", h.tensors);
  write_uses(out, o, access::write, "writes", h.tensors);
  const bool after_previous = o.id > 0 && o.deps.size() == 1 && o.deps[0] == o.id - 1;
  if (!after_previous && !(o.id == 0 && o.deps.empty())) list(out, "deps", o.deps);
  raw(out, "}\n");
}

void flush(buffer& from, std::ostream& out, std::size_t above) {
  if (from.size() < above) return;
  out.write(from.data(), static_cast<std::streamsize>(from.size()));
  from.clear();
}

}  // namespace

std::int64_t write(op_stream& trace, std::ostream& out) {
  const header& h = trace.header();
  buffer lines;
  write_header(lines, h);
  for (const auto& t : h.tensors) write_tensor(lines, t);
  std::int64_t count = 0;
  for (op o; trace.next(o) && out; ++count) {
    write_op(lines, o, h);
    flush(lines, out, 1 << 16);
  }
  fmt::format_to(std::back_inserter(lines), "{{\"end\":{}}}\n", count);
  flush(lines, out, 0);
  out.flush();
  return count;
}

std::int64_t write_file(op_stream& trace, const std::string& path) {
  namespace fs = std::filesystem;
  const auto failed = [&](const std::string& why) {
    return input_error(
        problem{path, "", "cannot be written: " + why, "a file in a folder with write permission and room", ""});
  };
  if (path == "-") {
    const auto count = write(trace, std::cout);
    if (!std::cout) throw failed("standard output is closed or full");
    return count;
  }
  if (path.empty()) throw failed("the name is empty");
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw failed("it is a folder");
  // A device or a pipe is written to as it is; a file appears under its name when it is complete.
  const bool special = fs::exists(path, ignored) && !fs::is_regular_file(path, ignored);
  const std::string temporary = special ? path : path + ".part-" + std::to_string(getpid());
  struct remover {
    std::string name;
    ~remover() {
      std::error_code unused;
      if (!name.empty()) fs::remove(name, unused);
    }
  };
  errno = 0;
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  if (!out) throw failed(errno != 0 ? std::strerror(errno) : "it cannot be opened");
  remover cleanup{special ? "" : temporary};
  const auto count = write(trace, out);
  out.close();
  if (!out) throw failed(errno != 0 ? std::strerror(errno) : "writing failed");
  if (!special) {
    std::error_code failure;
    fs::rename(temporary, path, failure);
    if (failure) throw failed(failure.message());
    cleanup.name.clear();
  }
  return count;
}

}  // namespace memwall::trace
