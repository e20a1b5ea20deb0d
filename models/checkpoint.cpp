// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "hw/common/params.h"

namespace memwall {
namespace {

/// One quantization_config: fields with defaults, as the library that wrote it reads them.
class description {
 public:
  explicit description(const config::node& root) : m_root(root) {}

  const config::node* find(const char* path) const {
    const auto* n = m_root.at_path(path);
    return n == nullptr || n->is_null() ? nullptr : n;
  }
  std::string text(const char* path, const std::string& fallback = {}) const {
    const auto* n = find(path);
    return n != nullptr && n->is_scalar() ? n->text() : fallback;
  }
  bool flag(const char* path, bool fallback) const { return text(path, fallback ? "true" : "false") == "true"; }
  std::int64_t integer(const char* path, std::int64_t fallback) const {
    std::int64_t v = 0;
    const auto* n = find(path);
    if (n == nullptr) return fallback;
    if (!n->is_scalar() || !detail::read_integer(n->text(), -1, 1 << 20, v)) m_broken = true;
    return v;
  }
  /// Something that was asked for is no number.
  bool broken() const { return m_broken; }
  /// Words of a list, or the keys of a map.
  std::vector<std::string> words(const char* path) const {
    std::vector<std::string> out;
    const auto* n = find(path);
    if (n == nullptr) return out;
    if (n->is_scalar()) out.push_back(n->text());
    for (const auto& [key, child] : n->entries()) out.push_back(n->is_sequence() ? child.text() : key);
    return out;
  }

 private:
  const config::node& m_root;
  mutable bool m_broken = false;
};

bool is_table(const std::string& module) {
  return module.find("lm_head") != std::string::npos || module.find("embed") != std::string::npos ||
         module.find("wte") != std::string::npos || module.find("output_layer") != std::string::npos;
}

/// What is left in 16 bits beside the tables.
std::vector<std::string> other_modules_left(const description& d) {
  std::vector<std::string> out;
  for (const char* key : {"modules_to_not_convert", "ignore", "ignored_layers", "llm_int8_skip_modules", "dynamic"})
    for (auto& word : d.words(key))
      if (!is_table(word)) out.push_back(std::move(word));
  return out;
}

/// Whether embedding and lm_head stay in 16 bits, as tools leave them unless told otherwise. (The embedding is no
/// product; only its rows are read.)
bool tables_stay(const description& d, const std::string& method) {
  if (method == "mlx" || method == "mxfp4" || d.flag("lm_head", false)) return false;
  if (method != "compressed-tensors" && method != "compressed_tensors") return true;
  const auto left = d.words("ignore");
  return std::any_of(left.begin(), left.end(),
                     [](const std::string& m) { return m.find("lm_head") != std::string::npos; });
}

/// "int4g128z4": `bits` with a 16-bit scale, and a zero point where wanted, for every `group` values; no group (0 or
/// -1): a scale for a whole row, which is too little to count.
std::string grouped(const std::string& kind, std::int64_t bits, std::int64_t group, bool zero_points) {
  std::string out = kind + std::to_string(bits);
  if (group > 1) out += "g" + std::to_string(group);
  if (group > 1 && zero_points) out += "z" + std::to_string(bits);
  return out;
}

/// 4-bit blocks of bitsandbytes: 64 values share a 32-bit maximum; "double" keeps that in 8 bits, with a 32-bit one for
/// 256 of them: 4 + 8/64 + 32/(64 x 256) bits.
std::string bitsandbytes(const description& d) {
  if (d.flag("load_in_8bit", false) || d.flag("_load_in_8bit", false)) return "int8/fp16/fp16";
  if (!d.flag("load_in_4bit", false) && !d.flag("_load_in_4bit", false)) return {};
  return (d.flag("bnb_4bit_use_double_quant", false) ? std::string("w4.127") : std::string("int4g64s32")) +
         "/fp16/fp16";
}

/// compressed-tensors: groups of modules with a scheme each; those of the first are taken when all agree.
std::string compressed_tensors(const description& d) {
  const auto* groups = d.find("config_groups");
  if (groups == nullptr || !groups->is_map()) return {};
  std::string out;
  for (const auto& [unused, group] : groups->entries()) {
    const description g(group);
    if (g.find("weights") == nullptr) return {};
    const std::string kind = g.text("weights.type", "int") == "float" ? "fp" : "int";
    const std::int64_t bits = g.integer("weights.num_bits", 8);
    const std::string strategy = g.text("weights.strategy");
    // Sixteen 4-bit floats share an 8-bit scale (NVFP4), 32 an 8-bit exponent (MXFP4).
    std::string weights =
        strategy.find("group") == std::string::npos && g.integer("weights.group_size", -1) < 2
            ? grouped(kind, bits, 0, false)
            : grouped(kind, bits, g.integer("weights.group_size", 128), !g.flag("weights.symmetric", true));
    if (kind == "fp" && bits == 4 && weights != "fp4") weights += "s8";
    std::string inputs = "fp16";
    if (g.find("input_activations") != nullptr && g.integer("input_activations.num_bits", 16) == 8)
      inputs = g.text("input_activations.type", "int") == "float" ? "fp8" : "int8";
    const std::string types = weights + "/" + inputs;
    if (!out.empty() && types != out) return {};
    out = types;
  }
  if (out.empty()) return {};
  return out + (d.integer("kv_cache_scheme.num_bits", 16) == 8 ? "/fp8" : "/fp16");
}

/// The types of a checkpoint, or "" where the description is of another kind.
std::string types_of(const description& d, const std::string& method) {
  if (method == "gptq" || method == "marlin")
    return grouped("int", d.integer("bits", 4), d.integer("group_size", 128), true) + "/fp16/fp16";
  if (method == "awq")
    return grouped("int", d.integer("bits", d.integer("w_bit", 4)),
                   d.integer("group_size", d.integer("q_group_size", 128)), d.flag("zero_point", true)) +
           "/fp16/fp16";
  if (method == "bitsandbytes") return bitsandbytes(d);
  // Products of 8-bit floats; what passes between operators and into the cache keeps 16 bits.
  if (method == "fp8" || method == "fbgemm_fp8") return "fp8/fp8/fp16";
  if (method == "mxfp4") return "bf16+fp4g32s8/bf16/bf16";
  if (method == "compressed-tensors" || method == "compressed_tensors") return compressed_tensors(d);
  // MLX keeps a 16-bit scale and a 16-bit bias a group.
  if (method == "mlx")
    return "int" + std::to_string(d.integer("bits", 4)) + "g" + std::to_string(d.integer("group_size", 64)) +
           "z16/fp16/fp16";
  return {};
}

}  // namespace

void read_stored_types(const config::node& root, model& m) {
  const description d(root);
  std::string method = d.text("quant_method");
  if (method.empty() && d.find("config_groups") != nullptr) method = "compressed-tensors";
  if (method.empty() && (d.find("load_in_4bit") != nullptr || d.find("load_in_8bit") != nullptr))
    method = "bitsandbytes";
  if (method.empty() && d.find("bits") != nullptr) method = "mlx";
  std::string text = types_of(d, method);
  if (d.broken()) text.clear();
  if (!text.empty() && tables_stay(d, method)) text.insert(text.find('/'), "@fp16");
  std::optional<dtypes> types;
  if (!text.empty()) try {
      types = dtypes::parse(text);
    } catch (const input_error&) {  // bits or groups that no type has
    }
  if (types && types->experts != types->weights && !m.moe) types.reset();
  if (!types) {
    m.notes.push_back("the file describes a quantised checkpoint (" + (method.empty() ? "no quant_method" : method) +
                      "); that was not used: give its types with --dtype");
    return;
  }
  m.stored = types;
  m.notes.push_back("the file describes a checkpoint quantised by " + method + ": " + types->name() +
                    " unless --dtype says otherwise");
  if (const auto left = other_modules_left(d); !left.empty())
    m.notes.push_back("it leaves more modules in 16 bits ('" + left.front() + "'" +
                      (left.size() > 1 ? " and " + std::to_string(left.size() - 1) + " more" : std::string()) +
                      "), which are counted as quantised");
}

}  // namespace memwall
