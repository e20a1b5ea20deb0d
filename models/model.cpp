// SPDX-License-Identifier: Apache-2.0
#include "models/model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "hw/common/config.h"
#include "hw/common/data_dir.h"
#include "hw/common/text_file.h"
#include "models/checkpoint.h"
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
  static const std::vector<std::string> activations = {
      "silu",      "swish",         "swiglu",  "gelu",       "gelu_new",   "gelu_fast", "gelu_pytorch_tanh",
      "gelu_tanh", "gelu_accurate", "relu",    "relu2",      "quick_gelu", "relu6",     "tanh",
      "sigmoid",   "laplace",       "gelu_10", "gelu_python"};
  if (std::find(activations.begin(), activations.end(), m.activation) == activations.end())
    f.problem_at({"hidden_act", "hidden_activation", "activation_function", "activation"},
                 "got '" + m.activation + "': such an activation is not known", "one of: " + joined(activations));
  if (m.moe && m.moe->active > m.moe->experts)
    f.problem_at({"num_experts_per_tok"},
                 "got " + std::to_string(m.moe->active) + " of " + std::to_string(m.moe->experts) + " experts",
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

namespace {

/// The part of a multimodal file that describes its language model, under the names in use.
constexpr const char* language_parts[] = {"text_config", "llm_config", "language_config"};

/// Architectures that exist and are not modelled, with what they are: no other family's name would help their users.
const char* what_is(const std::string& type) {
  struct group {
    const char* what;
    std::initializer_list<const char*> types;
  };
  static const group groups[] = {
      {"state space, recurrent or linear-attention layers",
       {"bamba",           "falcon_h1",   "falcon_mamba", "granitemoehybrid",
        "jamba",           "kimi_linear", "lfm2",         "lfm2_moe",
        "mamba",           "mamba2",      "minimax",      "minimax_text_01",
        "nemotron_h",      "plamo2",      "qwen3_5",      "qwen3_next",
        "recurrent_gemma", "rwkv",        "rwkv5",        "rwkv6",
        "rwkv7",           "xlstm",       "zamba",        "zamba2"}},
      {"a model of images, sound or several kinds of input",
       {"clip", "dinov2", "siglip", "siglip_vision_model", "swin", "vit", "wav2vec2", "whisper"}},
      {"an encoder", {"albert", "bert", "deberta", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta"}},
      {"an encoder with a decoder", {"bart", "mt5", "pegasus", "t5", "t5gemma", "umt5"}},
      {"a decoder of a form that is not modelled",
       {"arcee",
        "baichuan",
        "chatglm",
        "codegen",
        "cohere",
        "cohere2",
        "dbrx",
        "deepseek_v32",
        "ernie4_5",
        "exaone",
        "exaone4",
        "gemma",
        "gemma3n",
        "gemma3n_text",
        "glm",
        "glm4",
        "glm4_moe",
        "gpt_bigcode",
        "gpt_neo",
        "granite",
        "granitemoe",
        "grok-1",
        "hunyuan_v1_dense",
        "internlm",
        "internlm2",
        "kimi_k2",
        "llama4",
        "llama4_text",
        "mllama",
        "mllama_text_model",
        "minicpm",
        "minicpm3",
        "mpt",
        "nemotron",
        "nemotron-nas",
        "olmo",
        "olmo2",
        "olmoe",
        "openelm",
        "persimmon",
        "phi",
        "phimoe",
        "qwen",
        "qwen2_moe",
        "seed_oss",
        "smollm3",
        "stablelm",
        "starcoder2",
        "xglm"}}};
  for (const auto& g : groups)
    for (const char* t : g.types)
      if (type == t) return g.what;
  return nullptr;
}

const family_reader& family_of(const std::string& type, const std::string& where) {
  if (!families().contains(type))
    if (const char* what = what_is(type))
      throw input_error(problem{where, "model_type", "'" + type + "' is not modelled (" + what + ")",
                                "one of: " + joined(families().names()), ""});
  return families().get(type, where, "model_type");
}

/// The language model inside a multimodal file, or null.
const config::node* language_part(const config::node& root, std::string& name) {
  for (const char* part : language_parts)
    if (const auto* inner = root.find(part); inner != nullptr && inner->is_map()) {
      name = part;
      return inner;
    }
  return nullptr;
}

}  // namespace

model parse_model(const std::string& text, const std::string& where, const std::string& name) {
  const auto file = config::node::parse_json(text, where);
  if (!file.is_map()) throw input_error(problem{where, "", "is not a JSON object", config_form, ""});
  model m;
  m.name = name;
  m.file = where;
  problem_list problems;
  std::string part;
  const auto* inner = language_part(file, part);
  const config::node& root = inner != nullptr ? *inner : file;
  const auto* outer_type = file.find("model_type");
  const std::string outer = outer_type != nullptr && outer_type->is_scalar() ? outer_type->text() : "";
  const auto* type = root.find("model_type");
  if (type == nullptr || !type->is_scalar()) {
    problems.add({root.where(), "model_type", "is missing", "the architecture, such as \"llama\"", ""});
    problems.check();
  }
  fields f(root, problems, inner != nullptr ? &file : nullptr);
  f.irrelevant({"quantization_config", "compression_config", "quantization"});  // read below
  f.only("is_encoder_decoder", "false", "an encoder is not modelled");
  family_of(type->text(), type->where())(f, m);
  f.refuse_unknown();
  problems.check();
  check_shape(f, m);
  problems.check();
  if (inner != nullptr)
    m.notes.push_back("the file is of a model of more than text" + (outer.empty() ? "" : " ('" + outer + "')") +
                      ": its " + part + " is read, the other parts are not counted");
  for (const config::node* object : {&root, &file})
    for (const char* key : {"quantization_config", "compression_config", "quantization"})
      if (const auto* q = object->find(key); q != nullptr && q->is_map() && !m.stored) {
        read_stored_types(*q, m);
        return m;
      } else if (q != nullptr && !q->is_null()) {
        m.notes.push_back(std::string(key) + " is no map: it was not used");
      }
  return m;
}

std::string check_positions(const model& m, std::int64_t positions) {
  if (m.max_positions == 0 || positions <= m.max_positions) return {};
  if (m.positions == model::position_kind::learned)
    throw input_error(problem{"", "context",
                              "'" + m.name + "' has learned positions for " + std::to_string(m.max_positions) +
                                  " tokens, the workload needs " + std::to_string(positions),
                              "a shorter prompt, context or number of tokens", ""});
  return std::to_string(positions) + " positions are more than the " + std::to_string(m.max_positions) + " of '" +
         m.name + "': it runs, but was not made for them";
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

namespace {

/// A model's name, from the folder that holds its config.json. Links are not followed: the files in a Hugging Face
/// cache are links to files named by their contents. Above them stands a folder models--ORGANISATION--NAME.
std::string name_of(const fs::path& folder) {
  std::error_code ignored;
  fs::path path = fs::absolute(folder.empty() ? fs::path(".") : folder, ignored).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  for (const auto& step : path) {
    const std::string text = step.string(), start = "models--";
    const auto organisation = text.rfind(start, 0) == 0 ? text.find("--", start.size()) : std::string::npos;
    if (organisation != std::string::npos && organisation + 2 < text.size()) return text.substr(organisation + 2);
  }
  return path.filename().string();
}

}  // namespace

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
  if (!name_or_path.empty() && fs::is_directory(path, ignored)) return load(path / "config.json", name_of(path));
  if (!name_or_path.empty() && fs::exists(path, ignored))
    return load(path, path.filename() == "config.json" ? name_of(path.parent_path()) : path.stem().string());
  auto known = model_names();
  for (const auto& [alias, unused] : aliases()) known.push_back(alias);
  throw input_error(problem{"--model", "", "unknown model '" + name_or_path + "'",
                            "a folder with a config.json, a config.json, or one of: " + joined(model_names()),
                            nearest_name(name_or_path, known)});
}

}  // namespace memwall
