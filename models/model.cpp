// SPDX-License-Identifier: Apache-2.0
#include "models/model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "hw/common/config.h"
#include "hw/common/data_dir.h"
#include "hw/common/text_file.h"
#include "models/fields.h"

namespace memwall {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t largest_config = 16u << 20;
constexpr const char* config_form = "a config.json in Hugging Face form";

/// Contradictions that no single field shows.
void check_shape(fields& f, const model& m) {
  if (m.positions == model::position_kind::rope && !m.mla && m.head_dim % 2 != 0)
    f.problem_at({"head_dim", "num_attention_heads", "n_head"},
                 "a head of " + std::to_string(m.head_dim) + " values cannot be rotated in pairs", "an even head size");
  if (m.moe && m.moe->active > m.moe->experts)
    f.problem_at({"num_experts_per_tok"},
                 "got " + std::to_string(m.moe->active) + " of " + std::to_string(m.moe->experts) + " experts",
                 "no more than there are");
  if (m.moe && m.moe->dense_layers > m.layers)
    f.problem_at({"first_k_dense_replace"},
                 "got " + std::to_string(m.moe->dense_layers) + " of " + std::to_string(m.layers) + " layers",
                 "no more than there are");
  // In floating point, since the product of fields that are each in range can overflow.
  double largest = static_cast<double>(m.hidden) * static_cast<double>(std::max(m.vocab, m.heads * m.head_dim * 3));
  largest = std::max(largest, 3.0 * static_cast<double>(m.hidden) * static_cast<double>(m.ffn));
  if (m.moe)
    largest = std::max(largest, 3.0 * static_cast<double>(m.hidden) * static_cast<double>(m.moe->ffn) *
                                    static_cast<double>(m.moe->experts + m.moe->shared));
  if (m.mla)
    largest =
        std::max(largest, static_cast<double>(m.heads) * static_cast<double>(m.mla->nope + m.mla->rope + m.mla->value) *
                              static_cast<double>(std::max({m.hidden, m.mla->q_rank, m.mla->kv_rank})));
  if (largest * static_cast<double>(m.layers + 1) > 1e15)
    f.problem_at({"hidden_size", "n_embd", "n_embed"}, "together the fields make a model of more than 10^15 parameters",
                 "a model that exists");
}

/// Other names of models that ship with memwall: models/aliases.yaml.
std::vector<std::pair<std::string, std::string>> aliases() {
  std::vector<std::pair<std::string, std::string>> out;
  const std::string path = data_path("models/aliases.yaml");
  if (path.empty()) return out;
  const auto file = config::node::parse_file(path);
  for (const auto& [name, target] : file.entries()) out.emplace_back(name, target.text());
  return out;
}

}  // namespace

model parse_model(const std::string& text, const std::string& where, const std::string& name) {
  const auto root = config::node::parse_json(text, where);
  if (!root.is_map()) throw input_error(problem{where, "", "is not a JSON object", config_form, ""});
  model m;
  m.name = name;
  m.file = where;
  problem_list problems;
  fields f(root, problems);
  const auto* type = root.find("model_type");
  if (type == nullptr || !type->is_scalar()) {
    problems.add({root.where(), "model_type", "is missing", "the architecture, such as \"llama\"", ""});
    problems.check();
  }
  families().get(type->text(), type->where(), "model_type")(f, m);
  problems.check();
  check_shape(f, m);
  problems.check();
  return m;
}

std::vector<std::string> model_names() {
  std::vector<std::string> out;
  const std::string dir = data_path("models");
  if (dir.empty()) return out;
  for (const auto& entry : fs::directory_iterator(dir))
    if (fs::exists(entry.path() / "config.json")) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

model load_model(const std::string& name_or_path) {
  const auto load = [](const fs::path& file, const std::string& name) {
    return parse_model(read_text_file(file.string(), config_form, largest_config), file.string(), name);
  };
  const bool plain_name = name_or_path.find_first_of("/\\") == std::string::npos && !name_or_path.empty() &&
                          name_or_path != "." && name_or_path != "..";
  if (plain_name) {
    std::string name = name_or_path;
    for (const auto& [alias, target] : aliases())
      if (alias == name) name = target;
    const std::string shipped = data_path("models/" + name + "/config.json");
    if (!shipped.empty()) return load(shipped, name);
  }
  std::error_code ignored;
  const fs::path path(name_or_path);
  if (!name_or_path.empty() && fs::is_directory(path, ignored)) {
    const fs::path absolute = fs::weakly_canonical(path, ignored);
    return load(path / "config.json", absolute.filename().string());
  }
  if (!name_or_path.empty() && fs::exists(path, ignored)) {
    const fs::path absolute = fs::weakly_canonical(path, ignored);
    const std::string stem =
        path.filename() == "config.json" ? absolute.parent_path().filename().string() : path.stem().string();
    return load(path, stem.empty() ? path.stem().string() : stem);
  }
  auto known = model_names();
  for (const auto& [alias, unused] : aliases()) known.push_back(alias);
  std::string list;
  for (const auto& n : model_names()) list += (list.empty() ? "" : ", ") + n;
  throw input_error(problem{"--model", "", "unknown model '" + name_or_path + "'",
                            "a folder with a config.json, a config.json, or one of: " + list,
                            nearest_name(name_or_path, known)});
}

}  // namespace memwall
