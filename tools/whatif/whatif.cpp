// SPDX-License-Identifier: Apache-2.0
#include "tools/whatif/whatif.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "hw/common/error.h"
#include "hw/common/io_error.h"
#include "hw/common/params.h"
#include "tools/process/children.h"
#include "tools/process/exit_code.h"
#include "tools/process/files.h"
#include "tools/process/scratch.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

constexpr double nothing = 1.002;   // a gain that is not looked at further
constexpr double as_large = 0.99;   // of the largest gain: named beside it
constexpr double wall_gain = 1.01;  // a wall gains at least this much
constexpr double together = 1.05;   // a pair that gains so much more than the product of both alone helps together
constexpr std::size_t paired = 4;   // resources that are tried in pairs
constexpr double wall_factor = 2;

/// One more simulation.
struct variant {
  std::vector<std::size_t> resources;
  double factor = 1;
  std::vector<std::string> set;
  double time_ns = 0;            // 0: it was refused
  std::vector<double> layer_ns;  // with wall_factor
  std::string complaint;
};

json factor_json(double f) {
  return f == infinite ? json("inf") : json(f);
}

std::vector<double> layer_times(const json& result) {
  std::vector<double> out;
  for (const auto& l : result["layers"]) out.push_back(l["end_ns"].get<double>() - l["start_ns"].get<double>());
  return out;
}

class study {
 public:
  study(json& result, const platforms::platform_description& d, const std::vector<std::string>& words,
        const whatif_options& options)
      : m_result(result),
        m_words(words),
        m_options(options),
        m_resources(resources_of(d, result)),
        m_time(result.at(options.time).get<double>() * options.time_ns),
        m_gain(m_resources.size(), 1.0) {}

  bool run() {
    // The largest factor first: where that gains nothing the smaller ones gain nothing either.
    const double largest = *std::max_element(m_options.factors.begin(), m_options.factors.end());
    std::vector<variant> first;
    for (std::size_t r = 0; r < m_resources.size(); ++r) plan({r}, largest, first);
    if (!simulate(first)) return false;
    std::vector<variant> others;
    for (const auto& v : m_done)
      if (gain(v) >= nothing)
        for (const double f : m_options.factors)
          if (f != largest) plan(v.resources, f, others);
    if (!simulate(others)) return false;
    for (const auto& v : m_done)
      if (v.time_ns > 0 && v.factor == reference()) m_gain[v.resources[0]] = gain(v);
    std::vector<variant> pairs;
    const auto candidates = worth_pairing();
    for (std::size_t a = 0; a < candidates.size(); ++a)
      for (std::size_t b = a + 1; b < candidates.size(); ++b) plan({candidates[a], candidates[b]}, reference(), pairs);
    if (!simulate(pairs)) return false;
    tell();
    return true;
  }

 private:
  /// Walls are named at factor 2; where that was not asked for, at the largest factor below infinity, or at infinity.
  double reference() const {
    double out = 0;
    for (const double f : m_options.factors) {
      if (f == wall_factor) return f;
      if (f != infinite) out = std::max(out, f);
    }
    return out > 0 ? out : infinite;
  }

  double gain(const variant& v) const { return v.time_ns > 0 ? m_time / v.time_ns : 0; }

  void plan(std::vector<std::size_t> resources, double factor, std::vector<variant>& out) const {
    variant v;
    v.resources = std::move(resources);
    v.factor = factor;
    for (const std::size_t r : v.resources) {
      const auto set = m_resources[r].better(factor);
      if (set.empty()) return;  // it is as good as its parameters go already
      v.set.insert(v.set.end(), set.begin(), set.end());
    }
    out.push_back(std::move(v));
  }

  child_setup setup_of(const variant& v, const std::string& base) const {
    child_setup out;
    out.program = own_program();
    out.arguments = m_words;
    for (const auto& s : v.set) out.arguments.insert(out.arguments.end(), {"--set", s});
    out.arguments.insert(out.arguments.end(), {"--json", "--quiet"});
    out.output_file = base + ".json";
    out.error_file = base + ".err";
    return out;
  }

  void read(variant& v, const child_end& end, const std::string& base) const {
    if (end.exit_code == cannot_write) throw io_error(base + ": the output of a simulation cannot be written");
    if (end.exit_code == done) {
      const json r = json::parse(read_text(base + ".json").value_or(""), nullptr, false);
      if (!r.is_object()) throw io_error(base + ".json: cannot be read");
      v.time_ns = r.at(m_options.time).get<double>() * m_options.time_ns;
      if (v.factor == reference() && v.resources.size() == 1) v.layer_ns = layer_times(r);
    } else {
      v.complaint = read_text(base + ".err").value_or("");
      if (v.complaint.empty()) v.complaint = fmt::format("exit code {}", end.exit_code);
    }
    ::unlink((base + ".json").c_str());
    ::unlink((base + ".err").c_str());
  }

  /// Runs them and keeps them. False after a signal.
  bool simulate(std::vector<variant>& variants) {
    child_jobs jobs;
    jobs.count = variants.size();
    jobs.at_once = m_options.jobs;
    jobs.when_stopped = child_jobs::stop::kill;
    const auto base = [&](std::size_t i) { return m_scratch.file(std::to_string(m_done.size() + i)); };
    jobs.start = [&](std::size_t i) { return setup_of(variants[i], base(i)); };
    jobs.ended = [&](std::size_t i, const child_end& end) {
      if (!end.stopped) read(variants[i], end, base(i));
      if (m_show) std::cerr << fmt::format("\r{} simulated again\033[K", ++m_count) << std::flush;
      return true;
    };
    const bool complete = run_children(jobs);
    if (m_show) std::cerr << "\r\033[K";
    if (complete) m_done.insert(m_done.end(), variants.begin(), variants.end());
    return complete;
  }

  /// How busy the result says that a resource's module was: what is busy behind another wall may be the next one.
  double busy(const resource& r) const {
    double out = 0;
    for (const char* list : {"memories", "buses", "links", "executors"}) {
      if (!m_result.contains(list)) continue;
      for (const auto& m : m_result[list]) {
        const std::string name = m["name"];
        if (name.rfind(r.module(), 0) == 0) out = std::max(out, m.value("utilization", 0.0));
      }
    }
    return out;
  }

  std::vector<std::size_t> worth_pairing() const {
    std::vector<double> most(m_resources.size(), 0);
    for (const auto& v : m_done)
      if (v.resources.size() == 1) most[v.resources[0]] = std::max(most[v.resources[0]], gain(v));
    std::vector<std::size_t> order;
    for (std::size_t r = 0; r < m_resources.size(); ++r)
      if (most[r] > 0) order.push_back(r);
    const auto promise = [&](std::size_t r) { return std::max(most[r] - 1, busy(m_resources[r])); };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return promise(a) > promise(b); });
    order.resize(std::min(order.size(), paired));
    std::sort(order.begin(), order.end());
    return order;
  }

  void tell() {
    std::stable_sort(m_done.begin(), m_done.end(),
                     [&](const variant& a, const variant& b) { return gain(a) > gain(b); });
    json rows = json::array(), pairs = json::array(), refused = json::array();
    for (const auto& v : m_done) {
      if (v.time_ns == 0) {
        refused.push_back({{"resource", name_of(v)}, {"factor", factor_json(v.factor)}, {"message", v.complaint}});
        continue;
      }
      if (v.resources.size() > 1) {
        if (helps_only_together(v)) pairs.push_back(pair_row(v));
        continue;
      }
      json row{
          {"resource", name_of(v)}, {"factor", factor_json(v.factor)}, {"time_ns", v.time_ns}, {"speedup", gain(v)}};
      if (v.factor != infinite) row["elasticity"] = std::log(gain(v)) / std::log(v.factor);
      row["set"] = v.set;
      rows.push_back(std::move(row));
    }
    m_result["summary"]["bound_by"] = wall(m_gain, pairs);
    name_walls_of_layers();
    m_result["whatif"] = std::move(rows);
    m_result["whatif_pairs"] = std::move(pairs);
    if (!refused.empty()) m_result["whatif_refused"] = std::move(refused);
  }

  std::string name_of(const variant& v) const {
    std::string out;
    for (const std::size_t r : v.resources) out += (out.empty() ? "" : " with ") + m_resources[r].name();
    return out;
  }

  bool helps_only_together(const variant& v) const {
    return gain(v) > together * m_gain[v.resources[0]] * m_gain[v.resources[1]];
  }

  json pair_row(const variant& v) const {
    json row{{"resources", json::array()}, {"factor", factor_json(v.factor)}, {"time_ns", v.time_ns},
             {"speedup", gain(v)},         {"alone", json::array()},          {"set", v.set}};
    for (const std::size_t r : v.resources) {
      row["resources"].push_back(m_resources[r].name());
      row["alone"].push_back(m_gain[r]);
    }
    return row;
  }

  /// The resource with the largest gain, with those that gain as much; where none gains alone the best pair.
  json wall(const std::vector<double>& gains, const json& pairs) const {
    const double most = gains.empty() ? 1 : *std::max_element(gains.begin(), gains.end());
    std::string out;
    if (most >= wall_gain) {
      for (std::size_t r = 0; r < gains.size(); ++r)
        if (gains[r] >= as_large * most && gains[r] >= wall_gain)
          out += (out.empty() ? "" : " and ") + m_resources[r].name();
      return out;
    }
    if (pairs.empty()) return nullptr;
    return pairs[0]["resources"][0].get<std::string>() + " with " + pairs[0]["resources"][1].get<std::string>();
  }

  void name_walls_of_layers() {
    auto& layers = m_result["layers"];
    const auto base = layer_times(m_result);
    for (std::size_t l = 0; l < base.size(); ++l) {
      std::vector<double> gains(m_resources.size(), 1.0);
      for (const auto& v : m_done)
        if (v.layer_ns.size() == base.size() && v.layer_ns[l] > 0) gains[v.resources[0]] = base[l] / v.layer_ns[l];
      layers[l]["bound_by"] = wall(gains, json::array());
    }
  }

  json& m_result;
  const std::vector<std::string>& m_words;
  const whatif_options& m_options;
  std::vector<resource> m_resources;
  double m_time;
  std::vector<double> m_gain;  // of each resource alone, at reference()
  std::vector<variant> m_done;
  const scratch m_scratch{"memwall-whatif"};
  const bool m_show = !m_options.quiet && ::isatty(STDERR_FILENO) != 0;
  std::size_t m_count = 0;
};

}  // namespace

std::vector<double> parse_factors(const std::string& text) {
  std::vector<double> out;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    const std::string word = text.substr(at, comma - at);
    double v = infinite;
    if (word != "inf" && (!detail::read_number(word, v) || !(v > 1) || v > 1e6))
      throw input_error(problem{"--factors " + text, "", "got '" + word + "'",
                                "factors above 1, such as 1.1,2,inf (inf: as good as the parameters go)", ""});
    if (std::find(out.begin(), out.end(), v) == out.end()) out.push_back(v);
    at = comma + 1;
  }
  return out;
}

bool add_whatif(json& result, const platforms::platform_description& d, const std::vector<std::string>& words,
                const whatif_options& options) {
  return study(result, d, words, options).run();
}

}  // namespace memwall::tools
