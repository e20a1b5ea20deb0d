// SPDX-License-Identifier: Apache-2.0
// A list of matrix products: a first line "name,M,N,K" (any order, also "batch"), then one product a line.
// Each name is one weight matrix [N,K]; a name that comes again with the same N and K is the same matrix.
#include <algorithm>
#include <cctype>
#include <map>

#include "hw/common/csv.h"
#include "hw/common/params.h"
#include "traces/defaults.h"
#include "traces/importer.h"
#include "traces/totals.h"

namespace memwall::trace {
namespace {

constexpr std::size_t most_lines = 10'000'000;

struct columns {
  std::size_t name = SIZE_MAX, m = SIZE_MAX, n = SIZE_MAX, k = SIZE_MAX, batch = SIZE_MAX;
};

columns read_head(const std::vector<std::string>& cells, const std::string& where) {
  columns out;
  problem_list problems;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) continue;  // has no values either
    std::string lower = cells[i];
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    auto* slot = lower == "name"    ? &out.name
                 : lower == "m"     ? &out.m
                 : lower == "n"     ? &out.n
                 : lower == "k"     ? &out.k
                 : lower == "batch" ? &out.batch
                                    : nullptr;
    if (slot == nullptr)
      problems.add({where, cells[i], "unknown column", "name, M, N, K, batch",
                    nearest_name(lower, {"name", "m", "n", "k", "batch"})});
    else if (*slot != SIZE_MAX)
      problems.add({where, cells[i], "given twice", "each column once", ""});
    else
      *slot = i;
  }
  for (const auto& [slot, name] : {std::pair{out.name, "name"}, {out.m, "M"}, {out.n, "N"}, {out.k, "K"}})
    if (slot == SIZE_MAX) problems.add({where, name, "the column is missing", "a first line with name,M,N,K", ""});
  problems.check();
  return out;
}

std::unique_ptr<op_stream> read_gemm_csv(const std::string& path, const dtypes& types) {
  csv_reader in(path, "a table with the columns name,M,N,K");
  const columns head = read_head(in.head(), in.where());

  header h;
  h.model = path;
  h.origin = "gemm_csv";
  h.workload.types = types;
  h.tensors.resize(2);
  h.tensors[0].name = "act.in";
  h.tensors[1].name = "act.out";
  for (auto& t : h.tensors) {
    t.cls = tensor_class::activations;
    t.type = types.activations;
  }
  std::map<std::string, std::uint32_t> weights;
  std::vector<op> ops;
  problem_list problems;
  for (std::vector<std::string> cells; in.next(cells);) {
    if (ops.size() >= most_lines)
      throw input_error(problem{path, "", "more than 10 million lines", "a trace file (JSON Lines)", ""});
    const std::string where = in.where();
    const auto size = [&](std::size_t column, const char* key) {
      std::int64_t v = 1;
      if (column == SIZE_MAX) return v;
      const std::string& text = cells[column];
      if (!detail::read_integer(text, 1, most_elements, v)) {
        problems.add({where, key, "got '" + text + "'",
                      "an integer from 1 to " + std::to_string(most_elements) + ", no separators", ""});
        v = 1;
      }
      return v;
    };
    op o;
    o.id = ops.size();
    o.name = cells[head.name];
    if (o.name.empty()) problems.add({where, "name", "is empty", "the name of a matrix", ""});
    o.group = o.name;
    o.m = size(head.m, "M");
    o.n = size(head.n, "N");
    o.k = size(head.k, "K");
    o.batch = size(head.batch, "batch");
    o.input = o.output = types.activations;
    o.weight = types.weights;
    o.matmul_flops = default_matmul_flops(o);
    tensor t;
    t.name = "weight." + o.name;
    t.type = types.weights;
    t.shape = {o.batch, o.n, o.k};
    const auto count = [&](std::int64_t a) {
      return product(o.batch, o.m).value_or(most_elements) > most_elements / a;
    };
    if (o.matmul_flops < 0 || o.matmul_flops > most_flops || count(o.n) || count(o.k)) {
      problems.add({where, "M,N,K", "the product is too large", "at most 2^62 operations and 2^40 values", ""});
      continue;
    }
    t.bytes = default_bytes(t).value_or(0);
    const auto [found, fresh] = weights.emplace(o.name, static_cast<std::uint32_t>(h.tensors.size()));
    if (fresh)
      h.tensors.push_back(t);
    else if (h.tensors[found->second].shape != t.shape)
      problems.add({where, "name", "'" + o.name + "' came before with another N, K or batch", "one matrix a name", ""});
    for (const auto& [buffer, width] : {std::pair{0u, o.k}, {1u, o.n}}) {
      auto& b = h.tensors[buffer];
      const std::int64_t rows = o.batch * o.m, bytes = bytes_of(types.activations, rows, width);
      if (bytes > b.bytes) {
        b.bytes = bytes;
        b.shape = {rows, width};
      }
      if (buffer == 0) {
        o.uses.push_back({0, access::read, 0, bytes});
        o.uses.push_back({found->second, access::read, 0, t.bytes});
      } else {
        o.uses.push_back({1, access::write, 0, bytes});
      }
    }
    if (o.id > 0) o.deps = {o.id - 1};
    ops.push_back(std::move(o));
  }
  if (ops.empty()) problems.add({path, "", "no matrix products", "at least one line after the first", ""});
  problems.check();
  return std::make_unique<op_list>(std::move(h), std::move(ops));
}

const importer_entry gemm_csv{"gemm_csv", "name,M,N,K: one matrix product a line", read_gemm_csv};

}  // namespace
}  // namespace memwall::trace
