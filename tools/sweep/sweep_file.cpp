// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/sweep_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "hw/common/config.h"
#include "hw/common/text_file.h"
#include "tools/sweep/units.h"

namespace memwall::sweep {
namespace {

using config::node;

constexpr std::size_t longest_axis = 1'000'000;

const std::vector<std::string> workload_keys = {"phase",  "batch", "prompt",       "context",
                                                "tokens", "dtype", "prefill-chunk"};
const std::vector<std::string> serve_keys = {"requests", "rate",    "slo",   "replicas",
                                             "first",    "warm-up", "reuse", "reuse-error"};
const std::vector<std::string> option_keys = {"transfer-bytes", "replay", "reuse", "reuse-error", "seed"};

/// A list or map as one line of YAML, as --set takes it.
std::string compact(const node& n) {
  return n.to_json().dump();
}

struct end_value {
  double value = 0;
  std::string dimension;
  bool integer = false;
};

std::optional<end_value> read_end(const node& n) {
  if (!n.is_scalar()) return std::nullopt;
  const std::string& t = n.text();
  double v = 0;
  const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), v);
  if (error == std::errc{} && end == t.data() + t.size() && std::isfinite(v))
    return end_value{v, "", t.find_first_not_of("0123456789-") == std::string::npos};
  if (const auto q = parse_any_quantity(t)) return end_value{q->value, q->dimension, false};
  return std::nullopt;
}

std::string print(double v, const std::string& dimension, bool integer) {
  if (integer) v = std::round(v);
  if (!dimension.empty()) return format_quantity(v, dimension);
  if (std::fabs(v) < 1e15 && v == std::floor(v)) return fmt::format("{}", static_cast<std::int64_t>(v));
  return fmt::format("{}", v);
}

/// Twelve digits: 0.1 + 0.2 prints as 0.3 and a range's values do not carry rounding noise.
double tidy(double v) {
  if (v == 0 || !std::isfinite(v)) return v;
  return std::strtod(fmt::format("{:.12g}", v).c_str(), nullptr);
}

class reader {
 public:
  reader(std::string directory) { m_out.directory = std::move(directory); }

  spec read(const node& root, const std::string& name, const std::vector<std::string>& overrides) {
    if (!root.is_map()) fail({name, "", "is not a map", "a map with 'base' and 'axes'", ""});
    allow(root, "", {"name", "description", "base", "axes", "zip", "when", "sample", "objectives", "limits", "slurm"});
    m_out.name = text(root, "name", std::filesystem::path(name).stem().string());
    m_out.description = text(root, "description", "");
    if (const node* base = root.find("base")) read_base(*base);
    for (const auto& o : overrides) override_base(o);
    if (const node* axes = root.find("axes")) read_axes(*axes);
    if (const node* zip = root.find("zip")) read_zips(*zip);
    collect_names();
    for (auto& [index, when] : m_conditions) {
      parse_when(when, "when", [&, i = index](expression e) { m_out.groups[i].when = std::move(e); });
    }
    if (const node* when = root.find("when"))
      parse_when(*when, "when", [&](expression e) { m_out.when.push_back(std::move(e)); });
    if (const node* sample = root.find("sample")) read_sample(*sample);
    if (const node* objectives = root.find("objectives"))
      for (const auto* o : items(*objectives)) m_out.objectives.push_back(o->text());
    if (const node* limits = root.find("limits")) read_limits(*limits);
    if (const node* slurm = root.find("slurm")) {
      if (!slurm->is_map())
        m_problems.add({slurm->where(), "slurm", "is not a map", "sbatch options, e.g. {partition: long}", ""});
      for (const auto& [key, v] : slurm->entries()) m_out.slurm[key] = v.text();
    }
    finish(name);
    m_problems.check();
    return std::move(m_out);
  }

  axis read_axis(const std::string& path, const node& n) {
    axis out;
    out.path = path;
    out.where = n.where();
    if (n.is_sequence()) {
      for (const auto& [unused, v] : n.entries()) add_value(out, v);
    } else if (n.is_map()) {
      read_range(out, n);
    } else {
      m_problems.add({n.where(), path, "is not a list or a range",
                      "a list, or {linear: [from, to], step: or count:}, {log: [from, to], count:}, "
                      "{powers_of_two: [from, to]}, {values: [...]}",
                      ""});
    }
    if (out.values.empty() && !out.continuous && n.type() != node::kind::scalar && n.type() != node::kind::null)
      m_problems.add({n.where(), path, "has no values", "at least one", ""});
    return out;
  }

  void check() { m_problems.check(); }

 private:
  [[noreturn]] void fail(problem p) {
    m_problems.add(std::move(p));
    m_problems.check();
    throw std::logic_error("unreachable");
  }

  void allow(const node& map, const std::string& path, const std::vector<std::string>& keys) {
    for (const auto& [key, child] : map.entries())
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        m_problems.add({child.is_null() ? map.where() : child.where(), path.empty() ? key : path + "." + key,
                        "unknown key", "one of: " + joined(keys), nearest_name(key, keys)});
  }

  std::string text(const node& map, const std::string& key, const std::string& otherwise) {
    const node* n = map.find(key);
    if (n == nullptr) return otherwise;
    if (!n->is_scalar()) m_problems.add({n->where(), key, "is not a text", "one text", ""});
    return n->text();
  }

  std::vector<const node*> items(const node& n) {
    std::vector<const node*> out;
    if (n.is_scalar()) out.push_back(&n);
    if (n.is_sequence())
      for (const auto& [unused, v] : n.entries()) out.push_back(&v);
    return out;
  }

  void add_value(axis& out, const node& v) {
    if (v.is_null() || (v.is_scalar() && v.text() == "~"))
      out.values.emplace_back(std::nullopt);
    else if (v.is_scalar())
      out.values.emplace_back(v.text());
    else
      out.values.emplace_back(compact(v));
  }

  bool valid_path(const std::string& path, const std::string& where) {
    const auto known = [&](const std::string& prefix, const std::vector<std::string>& keys) {
      const std::string key = path.substr(prefix.size());
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) return true;
      m_problems.add({where, path, "unknown key of '" + prefix.substr(0, prefix.size() - 1) + "'",
                      "one of: " + joined(keys), nearest_name(key, keys)});
      return false;
    };
    if (path.rfind("workload.", 0) == 0) return known("workload.", workload_keys);
    if (path.rfind("options.", 0) == 0) return known("options.", option_keys);
    if (path.rfind("serve.", 0) == 0) return known("serve.", serve_keys);
    if (path.empty() || path.front() == '.' || path.back() == '.' || path.find("..") != std::string::npos) {
      m_problems.add({where, path, "is not a path", "a path such as gpu.sms", ""});
      return false;
    }
    return true;
  }

  void fix(const std::string& path, const node& v) {
    if (!valid_path(path, v.where())) return;
    m_out.base.push_back({path, v.is_scalar() ? v.text() : compact(v), v.where()});
  }

  /// `platform: a` fixes it, `platform: [a, b]` makes it an axis.
  void fix_or_vary(const std::string& path, const node& v) {
    if (v.is_sequence())
      add_group({read_axis(path, v)});
    else
      fix(path, v);
  }

  void read_base(const node& base) {
    if (!base.is_map())
      return m_problems.add({base.where(), "base", "is not a map", "platform, model, workload, set", ""});
    allow(base, "base", {"platform", "model", "trace", "workload", "serve", "options", "set"});
    for (const auto& [key, v] : base.entries()) {
      if (key == "platform" || key == "model" || key == "trace") fix_or_vary(key, v);
      if (key == "workload" && v.is_sequence()) read_workloads(v);
      if ((key == "workload" || key == "options" || key == "serve") && v.is_map())
        for (const auto& [k, child] : v.entries()) fix_or_vary(key + "." + k, child);
      if (key == "set") {
        if (!v.is_map())
          m_problems.add({v.where(), "base.set", "is not a map", "paths and values, e.g. {gpu.sms: 100}", ""});
        flatten("", v);
      }
    }
  }

  /// `set: {gpu: {sms: 100}}` and `set: {gpu.sms: 100}` say the same.
  void flatten(const std::string& prefix, const node& map) {
    for (const auto& [key, v] : map.entries()) {
      const std::string path = prefix.empty() ? key : prefix + "." + key;
      if (v.is_map())
        flatten(path, v);
      else
        fix(path, v);
    }
  }

  /// A list of workloads is a zipped group over all keys that any of them has.
  void read_workloads(const node& list) {
    std::vector<axis> axes;
    std::size_t row = 0;
    for (const auto& [unused, w] : list.entries()) {
      if (!w.is_map())
        m_problems.add({w.where(), "base.workload", "is not a map", "e.g. {phase: decode, batch: 1}", ""});
      for (const auto& [key, v] : w.entries()) {
        const std::string path = "workload." + key;
        auto found = std::find_if(axes.begin(), axes.end(), [&](const axis& a) { return a.path == path; });
        if (found == axes.end()) {
          axis a;
          a.path = path;
          a.where = v.where();
          found = axes.insert(axes.end(), a);
        }
        found->values.resize(row + 1);
        found->values[row] = v.text();
      }
      ++row;
    }
    for (auto& a : axes) a.values.resize(row);
    if (axes.empty())
      m_problems.add({list.where(), "base.workload", "has no values", "at least one workload", ""});
    else
      add_group(std::move(axes));
  }

  void override_base(const std::string& o) {
    const auto eq = o.find('=');
    if (eq == std::string::npos || eq == 0) return m_problems.add({"--set", o, "has no '='", "path=value", ""});
    const std::string path = o.substr(0, eq);
    if (!valid_path(path, "--set")) return;
    m_out.base.erase(
        std::remove_if(m_out.base.begin(), m_out.base.end(), [&](const setting& s) { return s.path == path; }),
        m_out.base.end());
    m_out.base.push_back({path, o.substr(eq + 1), "--set"});
  }

  void add_group(std::vector<axis> axes, const node* when = nullptr) {
    for (const auto& a : axes) valid_path(a.path, a.where);
    axis_group g;
    g.axes = std::move(axes);
    m_out.groups.push_back(std::move(g));
    if (when != nullptr) m_conditions.emplace_back(m_out.groups.size() - 1, *when);
  }

  void read_axes(const node& axes) {
    if (!axes.is_map()) return m_problems.add({axes.where(), "axes", "is not a map", "paths and their values", ""});
    for (const auto& [path, v] : axes.entries()) {
      const node* when = v.is_map() ? v.find("when") : nullptr;
      axis a = read_axis(path, v);
      if (a.continuous && when != nullptr)
        m_problems.add(
            {when->where(), path + ".when", "a range without steps cannot have a condition", "step: or count:", ""});
      add_group({std::move(a)}, when);
    }
  }

  void read_zips(const node& zip) {
    std::vector<const node*> maps;
    if (zip.is_map()) maps.push_back(&zip);
    if (zip.is_sequence())
      for (const auto& [unused, m] : zip.entries()) maps.push_back(&m);
    for (const node* m : maps) {
      std::vector<axis> axes;
      for (const auto& [path, v] : m->entries()) {
        if (path == "when") continue;
        axes.push_back(read_axis(path, v));
        if (axes.back().continuous)
          m_problems.add({v.where(), path, "a range without steps cannot be zipped", "step: or count:", ""});
        else if (axes.back().values.size() != axes.front().values.size())
          m_problems.add(
              {v.where(), path, fmt::format("has {} values", axes.back().values.size()),
               fmt::format("{}, as '{}', with which it is zipped", axes.front().values.size(), axes.front().path), ""});
      }
      if (axes.empty())
        m_problems.add(
            {m->where(), "zip", "has no axes", "a map of paths and lists of one length, or a list of such maps", ""});
      else
        add_group(std::move(axes), m->find("when"));
    }
  }

  void read_range(axis& out, const node& n) {
    allow(n, out.path, {"values", "linear", "log", "powers_of_two", "step", "count", "integer", "when"});
    const auto given = [&](const char* key) { return n.find(key) != nullptr; };
    if (given("values") + given("linear") + given("log") + given("powers_of_two") != 1)
      return m_problems.add(
          {n.where(), out.path,
           "says how it runs " +
               std::string(given("values") + given("linear") + given("log") + given("powers_of_two") == 0 ? "nowhere"
                                                                                                          : "twice"),
           "one of: values, linear, log, powers_of_two", ""});
    if (const node* values = n.find("values")) {
      if (!values->is_sequence())
        m_problems.add({values->where(), out.path + ".values", "is not a list", "a list", ""});
      for (const auto& [unused, v] : values->entries()) add_value(out, v);
      return;
    }
    const char* kind = given("linear") ? "linear" : given("log") ? "log" : "powers_of_two";
    const node& ends = *n.find(kind);
    const std::string key = out.path + "." + kind;
    if (!ends.is_sequence() || ends.entries().size() != 2)
      return m_problems.add({ends.where(), key, "is not a pair", "[from, to]", ""});
    const auto low = read_end(ends.entries()[0].second), high = read_end(ends.entries()[1].second);
    if (!low || !high || low->dimension != high->dimension)
      return m_problems.add({ends.where(), key,
                             "got [" + ends.entries()[0].second.text() + ", " + ends.entries()[1].second.text() + "]",
                             "two numbers, or two quantities of one kind", ""});
    const std::string& dimension = low->dimension;
    if (low->value > high->value)
      return m_problems.add({ends.where(), key, "runs down", "[from, to] with from <= to", ""});
    if (kind != std::string("linear") && low->value <= 0)
      return m_problems.add({ends.where(), key, "starts at or below zero", "a positive start", ""});
    const bool integer = flag(n, "integer");
    if (given("powers_of_two")) {
      for (double v = std::exp2(std::ceil(std::log2(low->value) - 1e-9)); v <= high->value * (1 + 1e-12); v *= 2)
        out.values.emplace_back(print(v, dimension, false));
      return;
    }
    std::size_t count = 0;
    if (const node* c = n.find("count")) {
      const auto v = read_end(*c);
      if (!v || !v->integer || v->value < 1 || v->value > longest_axis)
        return m_problems.add(
            {c->where(), out.path + ".count", "got '" + c->text() + "'", "an integer from 1 to 1000000", ""});
      count = static_cast<std::size_t>(v->value);
    }
    if (const node* s = n.find("step")) {
      const auto step = read_end(*s);
      if (given("log") || count != 0)
        return m_problems.add({s->where(), out.path + ".step", "does not go with this range",
                               "step: only with linear:, without count:", ""});
      if (!step || step->dimension != dimension || step->value <= 0)
        return m_problems.add({s->where(), out.path + ".step", "got '" + s->text() + "'",
                               "a positive step in the unit of the range", ""});
      const double steps = std::floor((high->value - low->value) / step->value + 1e-9);
      if (steps >= static_cast<double>(longest_axis))
        return m_problems.add({s->where(), out.path + ".step", "makes too many values", "at most 1000000", ""});
      for (std::size_t i = 0; i <= static_cast<std::size_t>(steps); ++i)
        push(out, tidy(low->value + static_cast<double>(i) * step->value), dimension, integer);
      return;
    }
    if (count == 0) {
      out.continuous = interval{low->value, high->value, dimension, given("log"), integer};
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double u = count == 1 ? 0 : static_cast<double>(i) / static_cast<double>(count - 1);
      const double v = given("log") ? low->value * std::pow(high->value / low->value, u)
                                    : low->value + u * (high->value - low->value);
      push(out, i + 1 == count && count > 1 ? high->value : tidy(v), dimension, integer);
    }
  }

  /// Rounding to integers may make neighbours equal; one stays.
  static void push(axis& out, double v, const std::string& dimension, bool integer) {
    std::string text = print(v, dimension, integer);
    if (out.values.empty() || out.values.back() != text) out.values.emplace_back(std::move(text));
  }

  bool flag(const node& n, const char* key) {
    const node* f = n.find(key);
    if (f == nullptr) return false;
    if (f->text() != "true" && f->text() != "false")
      m_problems.add({f->where(), key, "got '" + f->text() + "'", "true or false", ""});
    return f->text() == "true";
  }

  void collect_names() {
    for (const auto& g : m_out.groups)
      for (const auto& a : g.axes) {
        if (std::find(m_out.names.begin(), m_out.names.end(), a.path) != m_out.names.end())
          m_problems.add({a.where, a.path, "is an axis twice", "each path once", ""});
        m_out.names.push_back(a.path);
      }
    for (const auto& s : m_out.base)
      if (std::find(m_out.names.begin(), m_out.names.end(), s.path) == m_out.names.end()) m_out.names.push_back(s.path);
  }

  template <class Store>
  void parse_when(const node& n, const std::string& key, Store&& store) {
    const auto list = items(n);
    if (list.empty())
      m_problems.add({n.where(), key, "is not an expression", "a text such as workload.batch <= 64", ""});
    for (const node* e : list) {
      try {
        store(expression(e->text(), m_out.names, e->where(), key));
      } catch (const input_error& error) {
        for (const auto& p : error.problems()) m_problems.add(p);
      }
    }
  }

  void read_sample(const node& n) {
    if (!n.is_map())
      return m_problems.add({n.where(), "sample", "is not a map", "{method: random, count: 100, seed: 1}", ""});
    allow(n, "sample", {"method", "count", "seed"});
    const std::string method = text(n, "method", "latin_hypercube");
    if (method == "random")
      m_out.sample = sample_method::random;
    else if (method == "latin_hypercube")
      m_out.sample = sample_method::latin_hypercube;
    else
      m_problems.add({n.find("method")->where(), "sample.method", "got '" + method + "'",
                      "one of: latin_hypercube, random", nearest_name(method, {"latin_hypercube", "random"})});
    const auto natural = [&](const char* key, double lowest, double highest) -> std::uint64_t {
      const node* v = n.find(key);
      if (v == nullptr) return 0;
      const auto e = read_end(*v);
      if (e && e->integer && e->value >= lowest && e->value <= highest) return static_cast<std::uint64_t>(e->value);
      m_problems.add({v->where(), std::string("sample.") + key, "got '" + v->text() + "'",
                      fmt::format("an integer from {} to {}", lowest, highest), ""});
      return 0;
    };
    m_out.sample_count = natural("count", 1, 10'000'000);
    m_out.seed = natural("seed", 0, 9e15);
    if (n.find("count") == nullptr)
      m_problems.add({n.where(), "sample.count", "is missing", "how many points to draw", ""});
  }

  void read_limits(const node& n) {
    if (!n.is_map()) return m_problems.add({n.where(), "limits", "is not a map", "{timeout: 60 s, memory: 4 GiB}", ""});
    allow(n, "limits", {"timeout", "memory"});
    const auto positive = [&](const char* key, const char* dimension, double& out) {
      std::string expected;
      if (const node* v = n.find(key))
        if (!parse_quantity(v->text(), dimension, out, expected) || out <= 0)
          m_problems.add({v->where(), std::string("limits.") + key, "got '" + v->text() + "'", expected, ""});
    };
    double memory = 0;
    positive("timeout", dimension::time::name, m_out.timeout_s);
    positive("memory", dimension::size::name, memory);
    m_out.memory_bytes = static_cast<std::uint64_t>(std::max(0.0, memory));
  }

  /// A served model takes its lengths from the requests.
  void check_service(const std::string& name, bool serves) {
    for (const auto& path : m_out.names) {
      const bool of_service = path.rfind("serve.", 0) == 0;
      if (of_service && !serves)
        m_problems.add({name, path, "is given without serve.requests", "serve: {requests: poisson:rate=8,n=500}", ""});
      if (serves && (path == "trace" || (path.rfind("workload.", 0) == 0 && path != "workload.dtype")))
        m_problems.add({name, path, "is given beside serve.requests",
                        "lengths of the requests: input= and output=, or a file's", ""});
    }
  }

  void finish(const std::string& name) {
    const auto has = [&](const char* path) {
      return std::find(m_out.names.begin(), m_out.names.end(), path) != m_out.names.end();
    };
    if (!has("platform")) m_problems.add({name, "base.platform", "is missing", "a platform's name or file", ""});
    if (!has("model") && !has("trace"))
      m_problems.add({name, "base.model", "is missing", "a model's name or folder, or a trace", ""});
    if (has("model") && has("trace"))
      m_problems.add({name, "base.trace", "is given beside a model", "one of the two", ""});
    check_service(name, has("serve.requests"));
    for (const auto& g : m_out.groups)
      for (const auto& a : g.axes)
        if (a.continuous && m_out.sample == sample_method::none)
          m_problems.add(
              {a.where, a.path, "is a range without steps", "step: or count: in the range, or a 'sample:'", ""});
  }

  spec m_out;
  problem_list m_problems;
  std::vector<std::pair<std::size_t, node>> m_conditions;
};

}  // namespace

std::string interval::at(double u) const {
  const double v = logarithmic ? low * std::pow(high / low, u) : low + u * (high - low);
  return print(tidy(v), dimension, integer);
}

spec parse_spec(const std::string& text, const std::string& name, const std::string& directory,
                const std::vector<std::string>& overrides) {
  spec out = reader(directory).read(node::parse_text(text, name), name, overrides);
  out.file = name;
  out.text = text;
  return out;
}

spec read_spec(const std::string& file, const std::vector<std::string>& overrides) {
  const std::string text = read_text_file(file, "a sweep file (YAML)");
  const auto parent = std::filesystem::absolute(file).parent_path();
  return parse_spec(text, file, parent.string(), overrides);
}

std::vector<std::string> axis_values(const std::string& yaml) {
  reader r("");
  const axis a = r.read_axis("axis", node::parse_text(yaml, "axis"));
  r.check();
  std::vector<std::string> out;
  for (const auto& v : a.values) out.push_back(v.value_or("~"));
  return out;
}

}  // namespace memwall::sweep
