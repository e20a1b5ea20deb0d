// SPDX-License-Identifier: Apache-2.0
// memwall validate: published measurements against simulated ones. Every simulation is a child process (SystemC: one a
// process), every distinct one runs once.
#include <fmt/format.h>

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "hw/cim/validation.h"
#include "hw/common/io_error.h"
#include "platforms/describe/description.h"
#include "tools/commands.h"
#include "tools/kernel_trace.h"
#include "tools/process/children.h"
#include "tools/process/files.h"
#include "tools/process/output_directory.h"
#include "tools/process/scratch.h"
#include "tools/reuse_options.h"
#include "tools/validation_badges.h"
#include "tools/validation_data.h"

namespace memwall::tools {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

struct options {
  std::string only = "*", out, badges;
  reuse_options reuse;
  int jobs = 1;
  bool all = false, as_json = false, fidelity = false, quiet = false;
};

/// What a child said.
struct outcome {
  int code = internal_error;
  double seconds = 0;  // simulated time
  double host_s = 0;   // of it, what the runtime took while the device waited
  double wall_s = 0;
  std::map<std::string, double> layer_seconds;  // only where asked for
  std::map<std::string, double> energy_pj;      // by component
  std::string complaint;                        // first line of its error output
};

struct job {
  run_words words;
  bool layers = false;
  outcome result;
};

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

child_setup setup_of(const job& j, const options& o, const std::string& base) {
  child_setup out;
  out.program = own_program();
  out.arguments.assign(j.words.begin(), j.words.end());
  for (auto& word : o.reuse.words()) out.arguments.push_back(std::move(word));
  out.arguments.insert(out.arguments.end(), {"--json", "--quiet"});
  out.output_file = base + ".json";
  out.error_file = base + ".err";
  return out;
}

void read_outcome(job& j, const child_end& end, const std::string& base) {
  j.result.code = end.signal != 0 ? internal_error : end.exit_code;
  j.result.complaint = first_line(base + ".err");
  if (j.result.code == done) {
    std::ifstream in(base + ".json");
    const json r = json::parse(in, nullptr, false);
    if (r.is_discarded() || !r.contains("summary")) {
      j.result.code = internal_error;
      j.result.complaint = "no result came back";
    } else {
      j.result.seconds = r["summary"].value("time_ns", 0.0) * 1e-9;
      j.result.host_s = r["stall_stack_ns"].value("host", 0.0) * 1e-9;
      if (r.contains("host")) j.result.wall_s = r["host"].value("wall_s", 0.0);
      if (r.contains("energy"))
        for (const auto& [part, pj] : r["energy"]["by_component_pj"].items())
          j.result.energy_pj[part] = pj.get<double>();
      if (j.layers)
        for (const auto& l : r["layers"])
          j.result.layer_seconds[l["name"].get<std::string>()] =
              (l["end_ns"].get<double>() - l["start_ns"].get<double>()) * 1e-9;
    }
  }
  std::error_code ignored;
  fs::remove(base + ".json", ignored);
  fs::remove(base + ".err", ignored);
}

/// Runs all jobs, `count` at a time. False when a signal cut that short.
bool run_all(std::vector<job>& jobs, int count, const scratch& where, const options& o) {
  const bool show = !o.quiet && isatty(STDERR_FILENO) != 0;
  std::size_t finished = 0;
  child_jobs children;
  children.count = jobs.size();
  children.at_once = count;
  children.when_stopped = child_jobs::stop::kill;
  children.start = [&](std::size_t i) { return setup_of(jobs[i], o, where.file(std::to_string(i))); };
  children.ended = [&](std::size_t i, const child_end& end) {
    read_outcome(jobs[i], end, where.file(std::to_string(i)));
    if (show) std::cerr << fmt::format("\r{} of {} runs\033[K", ++finished, jobs.size()) << std::flush;
    if (jobs[i].result.code == cannot_write)
      throw io_error("the output of a run cannot be written: " + jobs[i].result.complaint);
    return true;
  };
  const bool complete = run_children(children);
  if (show) std::cerr << "\r\033[K";
  if (!complete) exit_status = interrupted;
  return complete;
}

struct line {
  std::string id, category, hardware, what, software, metric, unit, kind, problem;
  double measured = 0, simulated = 0;
  bool fits_row = false;
  std::string platform;  // the preset that stands for its hardware, where a badge follows
  double error() const { return simulated / measured - 1; }
};

json summary_of(const std::vector<line>& lines) {
  std::vector<std::string> order;
  for (const auto& l : lines)
    if (std::find(order.begin(), order.end(), l.category) == order.end()) order.push_back(l.category);
  json out = json::array();
  for (const auto& category : order)
    for (const char* kind : {"calibration", "validation", "both"}) {
      std::vector<double> errors;
      std::size_t rows = 0, failed = 0, right = 0;
      bool fits = false;
      for (const auto& l : lines) {
        if (l.category != category || (std::string(kind) != "both" && l.kind != kind)) continue;
        ++rows;
        fits = l.fits_row;
        if (!l.problem.empty()) {
          ++failed;
        } else if (l.fits_row) {
          right += l.measured == l.simulated ? 1 : 0;
        } else {
          errors.push_back(std::abs(l.error()));
        }
      }
      if (rows == 0) continue;
      json e{{"category", category}, {"kind", kind}, {"rows", rows}, {"failed", failed}};
      if (fits)
        e["right"] = right;
      else
        e.update(json{{"median_abs_error", median(errors)}, {"p90_abs_error", quantile(errors, 0.9)}});
      out.push_back(e);
    }
  return out;
}

std::string percent(double v) {
  return fmt::format("{:+.1f} %", 100 * v);
}

std::string table_of(const std::vector<line>& lines, bool markdown) {
  std::string out;
  const char* form =
      markdown ? "| {} | {} | {} | {} | {} | {} | {} | {} |\n" : "{:<22} {:<34} {:<52} {:<30} {:>14} {:>12} {:>9} {}\n";
  out += fmt::format(fmt::runtime(form), "row", "hardware", "workload", "software", "measured", "simulated", "error",
                     "kind");
  if (markdown) out += "|---|---|---|---|---|---|---|---|\n";
  for (const auto& l : lines) {
    const std::string measured =
        l.fits_row ? (l.measured != 0 ? "fits" : "does not fit") : fmt::format("{:.5g} {}", l.measured, l.unit);
    const std::string simulated = !l.problem.empty() ? "-"
                                  : l.fits_row       ? (l.simulated != 0 ? "fits" : "does not fit")
                                                     : fmt::format("{:.5g}", l.simulated);
    const std::string error = !l.problem.empty() ? l.problem
                              : l.fits_row       ? (l.simulated == l.measured ? "right" : "wrong")
                                                 : percent(l.error());
    out += fmt::format(fmt::runtime(form), l.id, l.hardware, l.what, l.software, measured, simulated, error, l.kind);
  }
  return out;
}

std::string summary_text(const json& summary, bool markdown) {
  std::string out = markdown ? "| category | kind | rows | median error | 90th percentile |\n|---|---|---|---|---|\n"
                             : fmt::format("{:<22} {:<12} {:>6} {:>14} {:>16}\n", "category", "kind", "rows",
                                           "median error", "90th percentile");
  for (const auto& e : summary) {
    const std::string a = e.contains("right") ? fmt::format("{} right", e["right"].get<int>())
                          : e["failed"] == e["rows"]
                              ? "-"
                              : fmt::format("{:.1f} %", 100 * e["median_abs_error"].get<double>());
    const std::string b = e.contains("right") || e["failed"] == e["rows"]
                              ? ""
                              : fmt::format("{:.1f} %", 100 * e["p90_abs_error"].get<double>());
    out += fmt::format(fmt::runtime(markdown ? "| {} | {} | {} | {} | {} |" : "{:<22} {:<12} {:>6} {:>14} {:>16}"),
                       e["category"].get<std::string>(), e["kind"].get<std::string>(), e["rows"].get<int>(), a, b);
    if (e["failed"].get<int>() > 0) out += fmt::format("  ({} failed)", e["failed"].get<int>());
    out += '\n';
  }
  return out;
}

std::string workload_text(const measured_row& r) {
  std::string out = fmt::format("{} {}", r.model, r.dtype.substr(0, r.dtype.find('/')));
  if (r.batch != 1) out += fmt::format(" batch {}", r.batch);
  if (r.prompt > 0) out += fmt::format(" prompt {}", r.prompt);
  if (r.context > 0) out += fmt::format(" context {}", r.context);
  if (r.generated > 1) out += fmt::format(" +{}", r.generated);
  if (r.chunk > 0) out += fmt::format(" chunk {}", r.chunk);
  return out;
}

bool wanted(const options& o, const std::string& id, const std::string& category, const std::string& hardware) {
  for (const auto& text : {id, category, hardware, category + "/" + id})
    if (platforms::matches_glob(o.only, text)) return true;
  return false;
}

/// Jobs by their words, so that equal ones run once.
class job_book {
 public:
  std::size_t add(const run_words& words, bool layers = false) {
    const auto [at, fresh] = m_index.emplace(words, m_jobs.size());
    if (fresh) m_jobs.push_back({words, layers, {}});
    return at->second;
  }
  std::vector<job>& jobs() { return m_jobs; }
  const outcome& of(std::size_t i) const { return m_jobs[i].result; }

 private:
  std::map<run_words, std::size_t> m_index;
  std::vector<job> m_jobs;
};

constexpr std::size_t no_job = SIZE_MAX;

run_words trace_run(const setup& s, const std::string& file) {
  run_words words{"run", "--platform", s.platform, "--trace", file};
  for (const auto& set : s.sets) words.insert(words.end(), {"--set", set});
  return words;
}

/// What boards take over a step.
struct board_step {
  double seconds = 0, joules = 0;
};

/// Picojoules of what boards draw without work: idle cores, memory that is refreshed and kept awake.
bool stands(const std::string& component) {
  for (const char* end : {".idle", ".background", ".refresh"})
    if (const std::string e = end; component.size() > e.size() && component.substr(component.size() - e.size()) == e)
      return true;
  return false;
}

/// A step as simulated; where it was simulated without the runtime's work, `host_s` of that come before it, at the
/// watts that `decode` stands with.
board_step step_on(const validation_data& data, const outcome& c, double host_s, const outcome& decode) {
  board_step out{c.seconds + host_s, 0};
  for (const auto& [part, e] : c.energy_pj) out.joules += data.on_a_board(part) ? e * 1e-12 : 0;
  for (const auto& [part, e] : decode.energy_pj)
    if (data.on_a_board(part) && stands(part)) out.joules += e * 1e-12 * host_s / decode.seconds;
  return out;
}

/// What boards draw: time, watts and joules of a token, of the mean step. `prompts`: the steps that compute so many
/// prompts beside the tokens. Watts and joules are judged where the time is within 20 %.
std::vector<line> energy_lines(const energy_row& r, const validation_data& data, const outcome& decode,
                               const std::map<std::int64_t, const outcome*>& prompts) {
  const std::string what = fmt::format("{} {} batch {} context {} prompt {} +{}", r.model,
                                       r.dtype.substr(0, r.dtype.find('/')), r.batch, r.context, r.prompt, r.generated);
  line time{r.id, "energy time", r.hardware, what, r.software, "token_ms", "ms", r.kind, "", r.token_ms, 0, false, ""};
  const auto note = [&time](const outcome& c) {
    if (c.code != done)
      time.problem = c.code == does_not_fit ? "does not fit" : c.complaint.empty() ? "no result" : c.complaint;
  };
  note(decode);
  for (const auto& [unused, c] : prompts) note(*c);
  if (!time.problem.empty()) return {time};
  board_step mean;
  for (const auto& [n, share] : r.steps()) {
    const board_step one =
        n == 0 ? step_on(data, decode, 0, decode) : step_on(data, *prompts.at(n), decode.host_s, decode);
    mean.seconds += share * one.seconds;
    mean.joules += share * one.joules;
  }
  time.simulated = mean.seconds * 1e3;
  std::vector<line> out{time};
  if (std::abs(time.error()) > 0.2) return out;
  out.push_back({r.id, "energy watts", r.hardware, what, r.software, "watts", "W", r.kind, "", r.watts,
                 mean.joules / mean.seconds / static_cast<double>(data.boards(r.hardware)), false, ""});
  out.push_back({r.id, "energy joules", r.hardware, what, r.software, "joules_per_token", "J", r.kind, "",
                 r.joules_per_token, mean.joules / static_cast<double>(r.batch), false, ""});
  // (Their times are those within 20 %: no measure of how well times are told.)
  for (std::size_t i = 1; i < out.size(); ++i) out[i].platform = data.setup_of(r).platform;
  return out;
}

constexpr const char* expert_category = "kernel experts";

std::string category_of(const kernel_row& k) {
  if (k.dtype == "fp8") return "kernel fp8";
  return k.m == 1 ? "kernel M=1" : "kernel M>1";
}

std::vector<line> validate_rows(const options& o, const validation_data& data, const scratch& where) {
  struct planned {
    const measured_row* row;
    std::size_t prefill, decode;
  };
  job_book book;
  std::vector<planned> plan;
  for (const auto& r : data.rows()) {
    if (!wanted(o, r.id, r.category, r.hardware) || (!o.all && r.set != "core")) continue;
    const auto [prefill, decode] = data.runs_of(r);
    plan.push_back({&r, prefill.empty() ? no_job : book.add(prefill), decode.empty() ? no_job : book.add(decode)});
  }
  // Kernels: a run a device and kind with all of them, each an operator of its own. By default, of long lists every
  // eighth with several rows.
  using batch_key = std::pair<std::string, std::string>;  // category, hardware
  std::map<batch_key, std::vector<const kernel_row*>> kernels;
  for (const auto& k : data.kernels())
    if (wanted(o, k.id, category_of(k), k.hardware) || wanted(o, k.id, "kernel", k.hardware))
      kernels[{k.dtype == "fp8" ? "kernel fp8" : "kernel", k.hardware}].push_back(&k);
  std::map<batch_key, std::size_t> kernel_jobs;
  for (auto& [key, list] : kernels) {
    if (!o.all && list.size() > 64) {
      std::vector<const kernel_row*> thin;
      for (std::size_t i = 0; i < list.size(); ++i)
        if (list[i]->m == 1 || i % 8 == 0) thin.push_back(list[i]);
      list = std::move(thin);
    }
    const std::string file = where.file(fmt::format("kernels-{}.jsonl", kernel_jobs.size()));
    write_kernel_trace(list, file);
    kernel_jobs[key] = book.add(trace_run(data.setup_of(*list.front()), file), true);
  }
  std::map<std::string, std::vector<const attention_row*>> attention;
  for (const auto& r : data.attention())
    if (wanted(o, r.id, "attention " + r.phase, r.hardware) || wanted(o, r.id, "attention", r.hardware))
      attention[r.hardware].push_back(&r);
  std::map<std::string, std::size_t> attention_jobs;
  for (const auto& [hardware, list] : attention) {
    const std::string file = where.file(fmt::format("attention-{}.jsonl", attention_jobs.size()));
    write_attention_trace(list, file);
    attention_jobs[hardware] = book.add(trace_run(data.setup_of(*list.front()), file), true);
  }
  // Experts: a run a device and kind of tiles.
  std::map<batch_key, std::vector<const expert_row*>> experts;
  for (const auto& r : data.experts())
    if (wanted(o, r.id, expert_category, r.hardware)) experts[{r.tiles, r.hardware}].push_back(&r);
  std::map<batch_key, std::size_t> expert_jobs;
  for (const auto& [key, list] : experts) {
    const std::string file = where.file(fmt::format("experts-{}.jsonl", expert_jobs.size()));
    write_expert_trace(list, file);
    expert_jobs[key] = book.add(trace_run(data.setup_of(*list.front()), file), true);
  }
  struct planned_energy {
    const energy_row* row;
    std::size_t decode;
    std::map<std::int64_t, std::size_t> prompts;  // by how many a step computes
  };
  std::vector<planned_energy> energies;
  for (const auto& r : data.energy()) {
    if (!wanted(o, r.id, "energy", r.hardware)) continue;
    planned_energy p{&r, book.add(data.step_of(r)), {}};
    for (const auto& [count, unused] : r.steps()) {
      if (count == 0) continue;
      const std::string file = where.file(fmt::format("step-{}-{}.jsonl", r.id, count));
      write_step_trace(r, count, file);
      p.prompts[count] = book.add(data.step_of(r, file));
    }
    energies.push_back(std::move(p));
  }
  std::map<std::string, std::vector<const collective_row*>> collectives;
  for (const auto& c : data.collectives())
    if (wanted(o, c.id, "all_reduce", c.hardware)) collectives[c.hardware].push_back(&c);
  std::map<std::string, std::size_t> collective_jobs;
  for (const auto& [hardware, list] : collectives) {
    const std::string file = where.file(fmt::format("collectives-{}.jsonl", collective_jobs.size()));
    write_all_reduce_trace(list, file);
    collective_jobs[hardware] = book.add(trace_run(data.setup_of_kernels(hardware), file), true);
  }
  std::vector<line> lines;
  if (!run_all(book.jobs(), o.jobs, where, o)) return lines;

  for (const auto& p : plan) {
    const measured_row& r = *p.row;
    line l{r.id, r.category, r.hardware, workload_text(r),   r.software, r.metric, r.unit, r.kind,
           "",   r.value,    0,          r.metric == "fits", ""};
    // Another simulation is a comparison and no measurement of the platform.
    if (r.category.find("simulated") == std::string::npos) l.platform = data.setup_of(r).platform;
    double seconds[2] = {0, 0};
    bool fits = true;
    for (int i = 0; i < 2; ++i) {
      const std::size_t index = i == 0 ? p.prefill : p.decode;
      if (index == no_job) continue;
      const outcome& c = book.of(index);
      fits = fits && c.code != does_not_fit;
      if (c.code != done && c.code != does_not_fit)
        l.problem = c.complaint.empty() ? fmt::format("exit code {}", c.code) : c.complaint;
      seconds[i] = c.seconds;
    }
    if (l.fits_row)
      l.simulated = fits ? 1 : 0;
    else if (!fits)
      l.problem = "does not fit";
    else if (l.problem.empty())
      l.simulated = validation_data::value_of(r, seconds[0], seconds[1]);
    lines.push_back(std::move(l));
  }
  for (const auto& p : energies) {
    std::map<std::int64_t, const outcome*> prompts;
    for (const auto& [count, job] : p.prompts) prompts[count] = &book.of(job);
    for (auto& l : energy_lines(*p.row, data, book.of(p.decode), prompts)) lines.push_back(std::move(l));
  }
  const auto timed = [&](const outcome& c, const std::string& id, line l) {
    const auto at = c.layer_seconds.find(id);
    if (at == c.layer_seconds.end())
      l.problem = c.complaint.empty() ? "no result" : c.complaint;
    else
      l.simulated = at->second * 1e6;
    lines.push_back(std::move(l));
  };
  for (const auto& [key, list] : kernels)
    for (const auto* k : list)
      timed(book.of(kernel_jobs[key]), k->id,
            {k->id, category_of(*k), k->hardware, fmt::format("{} x {} x {} {}", k->m, k->k, k->n, k->dtype), "kernel",
             "time_us", "us", k->kind, "", k->time_us, 0, false, ""});
  for (const auto& [hardware, list] : attention)
    for (const auto* r : list)
      timed(book.of(attention_jobs[hardware]), r->id,
            {r->id, "attention " + r->phase, hardware,
             fmt::format("{} heads, {} KV, batch {}, {} positions", r->heads, r->kv_heads, r->batch, r->length),
             "kernel", "time_us", "us", r->kind, "", r->time_us, 0, false, ""});
  for (const auto& [key, list] : experts)
    for (const auto* r : list) {
      const outcome& c = book.of(expert_jobs[key]);
      line l{r->id,
             expert_category,
             r->hardware,
             fmt::format("{} of {} experts, {} tokens, {} x {} {}", r->choices, r->experts, r->tokens, r->hidden,
                         r->ffn, r->dtype),
             "vLLM, " + r->tiles,
             "time_us",
             "us",
             r->kind,
             "",
             r->time_us,
             0,
             false,
             ""};
      for (const auto& name : expert_operators(r->id)) {
        const auto at = c.layer_seconds.find(name);
        if (at == c.layer_seconds.end())
          l.problem = c.complaint.empty() ? "no result" : c.complaint;
        else
          l.simulated += at->second * 1e6;
      }
      lines.push_back(std::move(l));
    }
  for (const auto& [hardware, list] : collectives) {
    const outcome& c = book.of(collective_jobs[hardware]);
    for (const auto* r : list) {
      line l{r->id,  "all_reduce", hardware, fmt::format("all-reduce of {} B", r->bytes),
             "NCCL", "time_us",    "us",     r->kind,
             "",     r->time_us,   0,        false,
             ""};
      const auto with = c.layer_seconds.find(r->id), without = c.layer_seconds.find(all_reduce_baseline(r->id));
      if (with == c.layer_seconds.end() || without == c.layer_seconds.end())
        l.problem = c.complaint.empty() ? "no result" : c.complaint;
      else
        l.simulated = (with->second - without->second) * 1e6;
      lines.push_back(std::move(l));
    }
  }
  // Macros are plain cores: their rows need no run.
  int number = 0;
  for (const auto& r : cim::validate_cim()) {
    const std::string id = fmt::format("CIM{:03}", ++number);
    if (wanted(o, id, r.category, r.name))
      lines.push_back({id, r.category, r.name, r.quantity, r.source, r.quantity, r.unit, r.kind, "", r.measured,
                       r.simulated, false, ""});
  }
  std::stable_sort(lines.begin(), lines.end(), [](const line& a, const line& b) { return a.category < b.category; });
  return lines;
}

/// Burst-level against whole-model transfer sizes, a short decode step of a small model on every preset (law 7).
int validate_fidelity(const options& o, const scratch& where) {
  std::vector<job> jobs;
  std::vector<std::string> names;
  for (const auto& name : platforms::platform_names()) {
    if (!platforms::matches_glob(o.only, name)) continue;
    names.push_back(name);
    for (const char* size : {"burst", "auto"})
      jobs.push_back({{"run", "--platform", name, "--model", "gpt-2", "--dtype", "fp16", "--phase", "decode",
                       "--context", "256", "--tokens", "1", "--transfer-bytes", size},
                      false,
                      {}});
  }
  if (names.empty())
    throw input_error(problem{"--only " + o.only, "", "matches no preset", "a preset, e.g. 'von_neumann_h100*'", ""});
  if (!run_all(jobs, o.jobs, where, o)) return interrupted;
  json out = json::array();
  double worst = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const outcome &burst = jobs[2 * i].result, &whole = jobs[2 * i + 1].result;
    json e{{"platform", names[i]}};
    if (burst.code != done || whole.code != done) {
      e["problem"] = burst.code != done ? burst.complaint : whole.complaint;
    } else {
      const double d = whole.seconds / burst.seconds - 1;
      worst = std::max(worst, std::abs(d));
      e.update(json{{"burst_ns", burst.seconds * 1e9},
                    {"auto_ns", whole.seconds * 1e9},
                    {"difference", d},
                    {"burst_wall_s", burst.wall_s},
                    {"auto_wall_s", whole.wall_s}});
    }
    out.push_back(e);
  }
  if (o.as_json) {
    std::cout << json{{"schema", "memwall-fidelity-1"}, {"presets", out}, {"largest_difference", worst}}.dump(1)
              << '\n';
    return done;
  }
  std::cout << fmt::format("{:<34} {:>14} {:>14} {:>11} {:>9} {:>9}\n", "preset (gpt-2, a decode step)", "burst-level",
                           "automatic", "difference", "wall", "wall");
  for (const auto& e : out)
    if (e.contains("problem"))
      std::cout << fmt::format("{:<34} {}\n", e["platform"].get<std::string>(), e["problem"].get<std::string>());
    else
      std::cout << fmt::format("{:<34} {:>11.2f} us {:>11.2f} us {:>11} {:>7.2f} s {:>7.2f} s\n",
                               e["platform"].get<std::string>(), e["burst_ns"].get<double>() / 1e3,
                               e["auto_ns"].get<double>() / 1e3,
                               fmt::format("{:+.3f} %", 100 * e["difference"].get<double>()),
                               e["burst_wall_s"].get<double>(), e["auto_wall_s"].get<double>());
  std::cout << fmt::format("largest difference: {:.3f} %\n", 100 * worst);
  return done;
}

json json_of(const std::vector<line>& lines, const json& summary) {
  json rows = json::array();
  for (const auto& l : lines) {
    json e{{"id", l.id},         {"category", l.category}, {"hardware", l.hardware},
           {"workload", l.what}, {"software", l.software}, {"metric", l.metric},
           {"unit", l.unit},     {"kind", l.kind},         {"measured", l.measured}};
    if (!l.problem.empty())
      e["problem"] = l.problem;
    else
      e.update(json{{"simulated", l.simulated},
                    {"error", l.fits_row ? (l.simulated == l.measured ? 0.0 : 1.0) : l.error()}});
    rows.push_back(e);
  }
  return {
      {"schema", "memwall-validation-1"}, {"memwall_version", MEMWALL_VERSION}, {"summary", summary}, {"rows", rows}};
}

void validate_command(const options& o) {
  const scratch where("memwall-validate");
  if (o.fidelity) {
    exit_status = validate_fidelity(o, where);
    return;
  }
  const validation_data data;
  const auto lines = validate_rows(o, data, where);
  if (exit_status == interrupted) return;
  if (lines.empty())
    throw input_error(problem{"--only " + o.only, "", "matches no row",
                              "an id, a category or hardware, e.g. 'decode', 'DEC00*', 'RTX 4090'; --all for every row",
                              ""});
  const json summary = summary_of(lines);
  if (!o.out.empty()) {
    const output_directory folder(o.out, "validate");
    write_whole(o.out + "/validation.json", json_of(lines, summary).dump(1) + "\n");
    write_whole(o.out + "/validation.md", summary_text(summary, true) + "\n" + table_of(lines, true));
  }
  if (!o.badges.empty()) {
    std::vector<validated> judged;
    for (const auto& l : lines)
      if (l.problem.empty() && !l.fits_row) judged.push_back({l.platform, l.metric, l.error()});
    const auto stored = fs::exists(o.badges) ? platforms::read_badges(o.badges) : std::vector<platforms::badge_row>{};
    write_whole(o.badges, platforms::write_badges(merge_badges(stored, badges_of(judged))));
  }
  if (o.as_json)
    std::cout << json_of(lines, summary).dump(1) << '\n';
  else if (!o.quiet)
    std::cout << table_of(lines, false) << '\n' << summary_text(summary, false);
}

}  // namespace

void add_validate(CLI::App& app) {
  auto* sub = app.add_subcommand("validate", "published measurements against simulated ones");
  auto o = std::make_shared<options>();
  sub->add_option("--only", o->only,
                  "rows whose id, category or hardware matches (shell pattern); with --fidelity: presets")
      ->type_name("GLOB");
  sub->add_flag("--all", o->all, "every row; without it, sweeps that only vary a length are thinned");
  sub->add_option("-j,--jobs", o->jobs, "simulations at a time")->check(CLI::Range(1, 256));
  sub->add_option("--out", o->out, "directory for validation.json and validation.md");
  sub->add_option("--badges", o->badges,
                  "file (platforms/validation/badges.csv) that takes the errors by preset and figure; what it holds of "
                  "others stays");
  o->reuse.add_to(*sub, "off");
  sub->add_flag("--json", o->as_json, "print JSON");
  sub->add_flag("--quiet", o->quiet, "print nothing but errors");
  sub->add_flag("--fidelity", o->fidelity, "burst-level against automatic transfer sizes on every preset");
  sub->callback([o, sub] {
    o->reuse.check(*sub, false);
    validate_command(*o);
  });
}

}  // namespace memwall::tools
