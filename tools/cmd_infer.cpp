// SPDX-License-Identifier: Apache-2.0
// memwall infer: a language model on a platform, its words beside its milliseconds and joules.
#include <fmt/format.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "models/weights/tokenizer.h"
#include "platforms/execute/run.h"
#include "platforms/values/inference.h"
#include "platforms/values/payload.h"
#include "tools/child_run.h"
#include "tools/commands.h"
#include "tools/infer_sweep.h"
#include "tools/number_between.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/terminal.h"
#include "tools/workload_options.h"

namespace memwall::tools {
namespace {
namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr std::uintmax_t largest_text = 64U << 20;

std::string read_text(const std::string& path, const char* option) {
  std::error_code failure;
  const auto size = fs::file_size(path, failure);
  std::ifstream in(path, std::ios::binary);
  if (failure || !in || size == 0 || size > largest_text)
    throw input_error(problem{option, path, "cannot be read, is empty, or is larger than 64 MiB", "a text file", ""});
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A model's words, or bytes where the shape alone is known.
class vocabulary {
 public:
  vocabulary(const model& m, bool drawn) : m_size(m.vocab) {
    const std::string path = (fs::path(m.file).parent_path() / "tokenizer.json").string();
    if (fs::exists(path)) {
      m_tokenizer = std::make_unique<tokenizer>(tokenizer::from_file(path));
      if (m_tokenizer->size() > m.vocab)
        throw input_error(problem{path, "model.vocab", "has " + std::to_string(m_tokenizer->size()) + " tokens",
                                  "at most vocab_size of the config.json, " + std::to_string(m.vocab), ""});
    } else if (!drawn) {
      throw input_error(problem{path, "", "is missing", "a tokenizer.json beside the weights", ""});
    }
  }
  std::vector<std::int32_t> encode(const std::string& text) const {
    if (m_tokenizer) return m_tokenizer->encode(text);
    std::vector<std::int32_t> out;
    for (const char c : text) out.push_back(static_cast<std::int32_t>(static_cast<unsigned char>(c) % m_size));
    return out;
  }
  std::string decode(const std::vector<std::int32_t>& tokens) const {
    return m_tokenizer ? m_tokenizer->decode(tokens) : std::string();
  }

 private:
  std::int64_t m_size;
  std::unique_ptr<tokenizer> m_tokenizer;
};

std::shared_ptr<const weight_source> weights_for(const model& m, bool drawn, std::uint64_t seed) {
  if (drawn) return draw_weights(m, seed);
  const fs::path folder = fs::path(m.file).parent_path();
  bool any = false;
  for (const auto& entry : fs::directory_iterator(folder))
    any =
        any || entry.path().extension() == ".safetensors" || entry.path().filename() == "model.safetensors.index.json";
  if (!any)
    throw input_error(problem{"--model", m.name, "has no weights in " + folder.string(),
                              "a folder with .safetensors files, or --random-weights for the shape alone", ""});
  return open_weights(m, folder.string());
}

json number(double v) {
  return std::isfinite(v) ? json(v) : json(nullptr);
}

json result_json(const platforms::inference& i, const std::string& text, const vocabulary& words) {
  auto layers = json::array();
  for (const auto& l : i.layers) layers.push_back({{"name", l.name}, {"snr_db", number(l.snr_db())}});
  json out{{"schema", "memwall-infer-1"},
           {"text", words.decode(i.made.tokens)},
           {"tokens", i.made.tokens},
           {"nll", i.scored > 0 ? json(i.nll / static_cast<double>(i.scored)) : json(nullptr)},
           {"perplexity", i.scored > 0 ? json(i.perplexity()) : json(nullptr)},
           {"top1_agreement",
            i.compared > 0 ? json(static_cast<double>(i.agreed) / static_cast<double>(i.compared)) : json(nullptr)},
           {"kl_divergence", i.compared > 0 ? json(i.divergence / static_cast<double>(i.compared)) : json(nullptr)},
           {"reference_perplexity", i.compared > 0 && i.scored > 0 ? json(i.reference_perplexity()) : json(nullptr)},
           {"scored_tokens", i.scored},
           {"layers", layers}};
  if (!text.empty() && i.scored > 0) out["bits_per_byte"] = i.nll / std::log(2.0) / static_cast<double>(i.scored);
  return out;
}

void print(const json& r, const infer_arguments& a, const std::string& head) {
  fmt::print("{}\n", head);
  if (!a.prompt.empty()) fmt::print("\n{}{}\n\n", a.prompt, r["text"].get<std::string>());
  const auto line = [](const char* what, const std::string& value) { fmt::print("  {:<28}{}\n", what, value); };
  if (!r["nll"].is_null()) {
    line("negative log-likelihood", fmt::format("{:.4f} nats a token over {} tokens", r["nll"].get<double>(),
                                                r["scored_tokens"].get<std::int64_t>()));
    line("perplexity", fmt::format("{:.4f}", r["perplexity"].get<double>()));
  }
  if (!r["top1_agreement"].is_null()) {
    if (!r["reference_perplexity"].is_null())
      line("of the reference", fmt::format("{:.4f}", r["reference_perplexity"].get<double>()));
    line("agreement with it (top 1)", fmt::format("{:.2f} %", 100 * r["top1_agreement"].get<double>()));
    line("divergence from it (KL)", fmt::format("{:.5f} nats", r["kl_divergence"].get<double>()));
  }
  if (r.contains("simulated")) {
    const auto& s = r["simulated"];
    line("time a token", human_time(s["time_per_token_ns"].get<double>()));
    line("energy a token", human_energy(s["energy_per_token_pj"].get<double>()));
  }
  if (r.contains("calibration")) {
    const auto& c = r["calibration"];
    line("ranges of inputs, once",
         fmt::format("{} over {} tokens, {}", human_time(c["time_ns"].get<double>()), c["tokens"].get<std::int64_t>(),
                     human_energy(c["energy_pj"].get<double>())));
  }
  if (r.contains("payload")) {
    const auto& p = r["payload"];
    line("carried by transfers",
         fmt::format("{} bytes read, {} written in {} transfers", p["bytes_read"].get<std::int64_t>(),
                     p["bytes_written"].get<std::int64_t>(), p["transfers"].get<std::int64_t>()));
    line("against direct computation", "equal to the bit, in the same time");
  }
  if (r["layers"].empty()) return;
  fmt::print("\n  {:<28}{:>10}\n", "products on macros", "SNR");
  for (const auto& l : r["layers"])
    fmt::print("  {:<28}{:>10}\n", l["name"].get<std::string>(),
               l["snr_db"].is_null() ? "exact" : fmt::format("{:.2f} dB", l["snr_db"].get<double>()));
}

}  // namespace

static json simulate_token(const infer_arguments& a, const platforms::inference_request& r, const trace::workload& w,
                           const std::vector<std::int32_t>& tokens, const platforms::inference& known_of,
                           bool carried) {
  return in_child([&] {
    platforms::run_options o;
    o.platform = *r.platform;
    o.seed = a.seed;
    o.version = MEMWALL_VERSION;
    o.command = "memwall infer";
    o.transfer_bytes = a.transfer_bytes;
    const auto known = std::make_shared<const std::vector<std::int32_t>>(tokens);
    o.source = [&] {
      return platforms::with_tokens(trace::generate(r.shape, w), r.shape, known, false, &known_of.routes);
    };
    platforms::built_hook on_built;
    std::unique_ptr<platforms::machine> values;
    std::unique_ptr<platforms::payload_run> payload;
    if (carried) {
      o.platform = platforms::keep_bytes(*r.platform);
      values = std::make_unique<platforms::machine>(r.shape, r.arithmetic, *r.weights, r.platform, r.settings,
                                                    known_of.ranges);
      payload = std::make_unique<platforms::payload_run>(*values, r.shape, w, tokens, known_of.routes);
      o.source = [&] { return payload->source(); };
      on_built = [&](platforms::system& hw, const platforms::placement& where) { payload->attach(hw, where); };
    }
    const json result = platforms::run(o, on_built).result;
    const json& s = result.at("summary");
    json out{{"time_ns", s.at("time_ns")},
             {"time_per_token_ns", s.at("time_per_token_ns")},
             {"energy_per_token_pj", s.at("energy_per_token_pj")},
             {"energy_pj", result.at("energy").at("total_pj")},
             {"phase", trace::name_of(w.phase)},
             {"context", w.longest()}};
    // Of it what work takes (not leakage), and what converters take.
    const auto tokens_done = std::max(1.0, s.at("tokens").get<double>());
    double converters = 0;
    for (const auto& [component, pj] : result.at("energy").at("by_component_pj").items())
      if (component.size() > 4 && component.compare(component.size() - 4, 4, ".adc") == 0)
        converters += pj.get<double>();
    out["working_energy_per_token_pj"] =
        (result.at("energy").at("total_pj").get<double>() - result.at("energy").at("idle_pj").get<double>()) /
        tokens_done;
    out["converter_energy_per_token_pj"] = converters / tokens_done;
    if (payload == nullptr) return out;
    const auto& found = payload->found();
    out["tokens"] = found.tokens;
    out["equal"] = found.tokens == known_of.made.tokens && found.logits == known_of.made.logits;
    out["transfers"] = found.transfers;
    out["bytes_read"] = found.bytes_read;
    out["bytes_written"] = found.bytes_written;
    out["late_bytes"] = found.late_bytes;
    return out;
  });
}

infer_session::infer_session(const infer_arguments& a) : m_arguments(a) {
  problem_list problems;
  if (a.prompt.empty() == a.text.empty())
    problems.add({"memwall infer", "", a.prompt.empty() ? "nothing to read" : "--prompt and --text are both given",
                  "--prompt TEXT or --text FILE", ""});
  if (a.platform.empty() && !a.reference)
    problems.add({"--platform", "", "is missing", "a platform, or --reference for single precision alone", ""});
  if (a.payload && (a.reference || a.platform.empty() || a.prompt.empty()))
    problems.add({"--payload", "", "needs a platform and --prompt", "--platform NAME --prompt TEXT", ""});
  problems.check();
  m_shape = load_model(a.model);
  m_numerics = read_numerics(m_shape);
  m_weights = weights_for(m_shape, a.random_weights, a.seed);
}

platforms::inference_request infer_session::request(const platforms::platform_description* p) const {
  const infer_arguments& a = m_arguments;
  const vocabulary words(m_shape, a.random_weights);
  platforms::inference_request r;
  r.shape = m_shape;
  r.arithmetic = m_numerics;
  r.weights = m_weights;
  r.platform = p;
  r.settings.types = p == nullptr      ? dtypes::parse("fp32")
                     : a.dtype.empty() ? platforms::usual_types(*p)
                                       : dtypes::parse(a.dtype, "--dtype");
  r.settings.threads = a.threads;
  r.settings.age = a.age;
  r.settings.seed = a.seed;
  r.settings.measure = a.compare && p != nullptr;
  r.compare = a.compare;
  r.new_tokens = a.tokens > 0 ? a.tokens : 32;
  const std::int64_t most = std::max<std::int64_t>(4, m_shape.max_positions);
  r.context = a.context > 0 ? a.context : std::min<std::int64_t>(most, 256);
  if (r.context < 4 || r.context > most)
    throw input_error(problem{"--context", "", "got " + std::to_string(r.context),
                              "4 to " + std::to_string(most) + ", the positions of the model", ""});
  if (!a.prompt.empty()) {
    r.prompt = words.encode(a.prompt);
    if (r.prompt.empty() || static_cast<std::int64_t>(r.prompt.size()) + r.new_tokens > most)
      throw input_error(problem{
          "--prompt", "",
          "has " + std::to_string(r.prompt.size()) + " tokens, " + std::to_string(r.new_tokens) + " are to follow",
          "1 to " + std::to_string(most) + " together", ""});
  } else {
    r.text = words.encode(read_text(a.text, "--text"));
    if (a.tokens > 0 && static_cast<std::size_t>(a.tokens) < r.text.size())
      r.text.resize(static_cast<std::size_t>(a.tokens));
    if (r.text.size() < 2)
      throw input_error(problem{"--text", a.text, "has fewer than two tokens", "a text to score", ""});
  }
  if (!a.calibrate.empty()) r.calibration = words.encode(read_text(a.calibrate, "--calibrate"));
  return r;
}

json infer_session::run(const platforms::platform_description* p, const std::function<void(double)>& progress,
                        bool simulate) const {
  auto r = request(p);
  r.on_progress = progress;
  const platforms::inference i = platforms::infer(r);
  json out = result_json(i, m_arguments.text, vocabulary(m_shape, m_arguments.random_weights));
  if (p == nullptr || !simulate) return out;
  out["platform"] = p->name;
  out["dtype"] = r.settings.types.name();
  // What the machine does for it: the prompt and its tokens, or one token in the midst of a window.
  trace::workload w;
  std::vector<std::int32_t> tokens = r.prompt;
  if (!r.prompt.empty()) {
    w = platforms::workload_for(r.settings.types, static_cast<std::int64_t>(r.prompt.size()), r.new_tokens);
    tokens.insert(tokens.end(), i.made.tokens.begin(), i.made.tokens.end());
  } else {
    w.context =
        std::max<std::int64_t>(2, std::min<std::int64_t>(r.context, static_cast<std::int64_t>(r.text.size())) / 2);
    w.types = r.settings.types;
    tokens = r.text;
  }
  out["simulated"] = simulate_token(m_arguments, r, w, tokens, i, false);
  if (platforms::fixes_ranges(p) && m_arguments.sweeps.empty() && !m_arguments.sensitivity) {
    // Input ranges are fixed by a pass over a text on the same machine, once.
    const auto seen = platforms::calibration_of(r);
    trace::workload pass;
    pass.phase = trace::workload::phases::prefill;
    pass.prompt = static_cast<std::int64_t>(seen.size());
    pass.types = r.settings.types;
    const json cost = simulate_token(m_arguments, r, pass, seen, {}, false);
    out["calibration"] = {
        {"tokens", pass.prompt}, {"time_ns", cost.at("time_ns")}, {"energy_pj", cost.at("energy_pj")}};
  }
  if (m_arguments.payload) {
    out["payload"] = simulate_token(m_arguments, r, w, tokens, i, true);
    if (!out["payload"]["equal"].get<bool>())
      throw std::runtime_error("what came over the wires gave other values than the direct computation: " +
                               out["payload"].dump());
    if (out["payload"]["time_ns"] != out["simulated"]["time_ns"])
      throw std::runtime_error("the run that carried values took another time than the one that did not");
  }
  return out;
}

namespace {

void run_command(const infer_arguments& a) {
#ifdef __GLIBC__
  // Weights pass through blocks of a few hundred kilobytes: kept, not given back to the kernel and cleared again.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
  const infer_session session(a);
  platforms::platform_description p;
  if (!a.platform.empty()) p = platforms::load_platform(a.platform, a.sets);
  const platforms::platform_description* on = a.reference || a.platform.empty() ? nullptr : &p;
  if (!a.sweeps.empty() || a.sensitivity) return run_infer_sweep(session, a);
  const json out = session.run(on, share_line("values", a.quiet || a.json));
  if (!a.out.empty()) {
    const output_directory folder(a.out, "infer");
    write_whole(a.out + "/infer.json", out.dump(1) + "\n");
  }
  if (a.json)
    std::cout << out.dump(1) << '\n';
  else if (!a.quiet)
    print(out, a,
          on == nullptr ? session.shape().name + " in single precision"
                        : session.shape().name + " on " + p.name + ", " + out["dtype"].get<std::string>());
}

}  // namespace

void add_infer(CLI::App& app) {
  auto a = std::make_shared<infer_arguments>();
  a->threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  CLI::App* c = app.add_subcommand("infer", "a language model's words on a platform, beside their time and energy");
  c->add_option("--model", a->model,
                "tiny-llama, or a folder with config.json, tokenizer.json and .safetensors, of any family")
      ->required();
  c->add_option("--platform", a->platform, "a preset or a YAML file");
  c->add_option("--prompt", a->prompt, "text to go on from");
  c->add_option("--text", a->text, "file to score: likelihood of each token");
  c->add_option("--tokens", a->tokens, "new tokens (32), or tokens of the text that are scored (all)")
      ->check(CLI::Range(1, 1 << 20));
  c->add_flag("--reference", a->reference, "single precision, no platform");
  c->add_flag("--payload", a->payload,
              "transfers carry the values: what came over the wires must equal what was computed");
  c->add_option("--dtype", a->dtype, "weights/activations/kv (as wide as the macros hold, beside fp16; else fp16)");
  c->add_option("--set", a->sets, "override a parameter: path=value, e.g. cim.macro.adc_bits=6")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  c->add_option("--transfer-bytes", a->transfer_bytes, "size of transfers: auto, burst or bytes");
  c->add_option("--age", a->age, "seconds since the arrays were programmed (0)")->check(number_between(0.0, 1e12));
  c->add_option("--context", a->context, "tokens of a window of the text (256, or what the model takes)");
  c->add_option("--calibrate", a->calibrate,
                "text that fixes the input ranges of macros (the begin of prompt or text)");
  c->add_flag("--random-weights", a->random_weights, "weights drawn from the seed, for a shape without weights");
  c->add_flag("!--no-compare", a->compare, "without the reference: no agreement, no SNR");
  c->add_option("--sweep", a->sweeps,
                "KEY=V1,V2,...: perplexity against time and energy; KEY: adc_bits, rows_parallel, weight_bits, noise "
                "(programming noise / g_max), age (seconds), digital_layers (first N layers on the vector unit), or a "
                "path of --set")
      ->type_name("KEY=LIST")
      ->allow_extra_args(false);
  c->add_flag("--sensitivity", a->sensitivity, "each layer alone on the macros, the others in fp16: which one hurts");
  c->add_option("--seeds", a->seeds, "seeds a point of a sweep, for the confidence (3)")->check(CLI::Range(1, 1000));
  c->add_option("--seed", a->seed, "of all noise (1)");
  c->add_option("--threads", a->threads, "for values (all cores); the simulation has one")->check(CLI::Range(1, 1024));
  c->add_option("--out", a->out, "directory for infer.json, or a sweep's table and page");
  c->add_flag("--quiet", a->quiet, "print nothing but errors");
  c->add_flag("--json", a->json, "JSON on standard output");
  c->callback([a] { run_command(*a); });
}

}  // namespace memwall::tools
