// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <unordered_set>

#include "tools/sweep/digest.h"
#include "tools/sweep/inputs.h"

namespace memwall::sweep {
namespace {

constexpr double largest_grid = 20e6;
constexpr std::size_t largest_plan = 5'000'000;

const std::string& text_of(const std::optional<std::string>& v) {
  static const std::string blank;
  return v ? *v : blank;
}

}  // namespace

plan::plan(spec s, sweep::program p) : m_spec(std::move(s)), m_program(std::move(p)) {
  for (std::size_t g = 0; g < m_spec.groups.size(); ++g) {
    m_values.emplace_back();
    for (std::size_t a = 0; a < m_spec.groups[g].axes.size(); ++a) {
      const axis& ax = m_spec.groups[g].axes[a];
      m_columns.push_back(ax.path);
      m_column_axis.emplace_back(g, a);
      m_values.back().emplace_back();
      for (const auto& v : ax.values) m_values.back().back().push_back(v ? to_value(*v) : value());
    }
  }
  for (std::size_t n = m_columns.size(); n < m_spec.names.size(); ++n)
    for (const auto& b : m_spec.base)
      if (b.path == m_spec.names[n]) m_base_values.push_back(to_value(b.text));
  if (m_spec.sample == sample_method::none)
    lay_out_grid();
  else
    lay_out_samples();
  if (m_points.empty())
    throw input_error(
        problem{m_spec.file, "when", "leaves no point", "constraints that at least one point satisfies", ""});
}

void plan::lay_out_grid() {
  double total = 1;
  for (const auto& g : m_spec.groups) total *= static_cast<double>(g.size());
  if (total > largest_grid)
    throw input_error(problem{m_spec.file, "axes", fmt::format("make a grid of {:.3g} points", total),
                              fmt::format("at most {:.0f}; shorter axes, or a 'sample:'", largest_grid), ""});
  m_strides.assign(m_spec.groups.size(), 1);
  for (std::size_t g = m_spec.groups.size(); g-- > 1;) m_strides[g - 1] = m_strides[g] * m_spec.groups[g].size();
  for (std::uint64_t code = 0; code < static_cast<std::uint64_t>(total); ++code)
    if (allowed(code)) m_points.push_back(code);
  if (m_points.size() > largest_plan)
    throw input_error(problem{m_spec.file, "axes", fmt::format("make {} points", m_points.size()),
                              fmt::format("at most {}; shorter axes, or a 'sample:'", largest_plan), ""});
}

void plan::lay_out_samples() {
  const std::size_t count = m_spec.sample_count;
  if (m_spec.sample == sample_method::latin_hypercube) {
    // One stratum of each axis a draw: a shuffle (Fisher-Yates) of 0..count-1 for each group.
    for (std::size_t g = 0; g < m_spec.groups.size(); ++g) {
      std::vector<std::uint32_t> strata(count);
      std::iota(strata.begin(), strata.end(), 0U);
      for (std::size_t i = count; i-- > 1;) std::swap(strata[i], strata[mix(m_spec.seed, 2 * g + 1, i) % (i + 1)]);
      m_strata.push_back(std::move(strata));
    }
  }
  // Constraints drop draws; random sampling draws on until it has enough or 100 draws a point did not
  // suffice.
  std::unordered_set<std::string> seen;
  const std::uint64_t draws = m_strata.empty() ? 100 * static_cast<std::uint64_t>(count) : count;
  for (std::uint64_t code = 0; code < draws && m_points.size() < count; ++code) {
    if (!allowed(code)) continue;
    std::string id;
    for (std::size_t g = 0; g < m_spec.groups.size(); ++g)
      for (const auto& a : m_spec.groups[g].axes)
        if (active(g, code))
          id += (a.continuous ? a.continuous->at(draw(g, code)) : text_of(a.values[index_of(g, code)])) + '\n';
        else
          id += '\n';
    if (seen.insert(sha256_hex(id)).second) m_points.push_back(code);
  }
}

double plan::draw(std::size_t group, std::uint64_t code) const {
  const double u = mix_uniform(m_spec.seed, 2 * group, code);
  if (m_strata.empty()) return u;
  return (m_strata[group][code] + u) / static_cast<double>(m_spec.sample_count);
}

std::size_t plan::index_of(std::size_t group, std::uint64_t code) const {
  const std::size_t size = m_spec.groups[group].size();
  if (!m_strides.empty()) return code / m_strides[group] % size;
  return std::min(size - 1, static_cast<std::size_t>(draw(group, code) * static_cast<double>(size)));
}

value plan::name_value(std::size_t name, std::uint64_t code) const {
  if (name >= m_columns.size()) return m_base_values[name - m_columns.size()];
  const auto [g, a] = m_column_axis[name];
  const axis& ax = m_spec.groups[g].axes[a];
  if (ax.continuous) return to_value(ax.continuous->at(draw(g, code)));
  return m_values[g][a][index_of(g, code)];
}

bool plan::active(std::size_t group, std::uint64_t code) const {
  const auto& when = m_spec.groups[group].when;
  return !when || when->test([&](std::size_t name) { return name_value(name, code); });
}

bool plan::allowed(std::uint64_t code) const {
  // A group that is left out would make as many equal points as it has values: its first value stands for
  // all.
  if (!m_strides.empty())
    for (std::size_t g = 0; g < m_spec.groups.size(); ++g)
      if (m_spec.groups[g].when && index_of(g, code) != 0 && !active(g, code)) return false;
  for (const auto& e : m_spec.when)
    if (!e.test([&](std::size_t name) { return name_value(name, code); })) return false;
  return true;
}

std::vector<double> plan::coordinates(std::size_t number) const {
  const std::uint64_t code = m_points[number];
  std::vector<double> out;
  for (std::size_t g = 0; g < m_spec.groups.size(); ++g) {
    const std::size_t size = m_spec.groups[g].size();
    if (!active(g, code))
      out.push_back(std::nan(""));
    else if (size == 0)
      out.push_back(draw(g, code));
    else
      out.push_back(size == 1 ? 0 : static_cast<double>(index_of(g, code)) / static_cast<double>(size - 1));
  }
  return out;
}

bool plan::is_nominal(std::size_t group) const {
  for (const auto& v : m_values[group].front())
    if (std::holds_alternative<std::string>(v)) return true;
  return false;
}

std::string plan::resolved(const std::string& path, const std::string& text) const {
  if (path == "platform" || path == "model" || path == "trace" || path == "serve.requests")
    return resolve_path(text, m_spec.directory);
  return text;
}

const std::string& plan::content_digest(const std::string& kind, const std::string& name) const {
  auto [found, is_new] = m_digests.try_emplace(kind + ":" + name);
  if (is_new) found->second = input_digest(kind, name);
  return found->second;
}

point plan::at(std::size_t number) const {
  const std::uint64_t code = m_points.at(number);
  point out;
  out.number = number;
  std::map<std::string, std::string> settings;  // sorted: the order in the file does not change the key
  for (const auto& b : m_spec.base) settings[b.path] = b.text;
  std::size_t last_group = m_spec.groups.size();
  bool in = true;
  for (const auto& [g, a] : m_column_axis) {
    if (g != last_group) in = active(g, code);
    last_group = g;
    const axis& ax = m_spec.groups[g].axes[a];
    std::optional<std::string> v;
    if (in) v = ax.continuous ? ax.continuous->at(draw(g, code)) : ax.values[index_of(g, code)];
    if (v) settings[ax.path] = *v;
    out.values.push_back(std::move(v));
  }

  sha256 hash;
  hash.field("memwall point 1").field(m_program.version).field(m_program.digest);
  const auto asked = settings.find("serve.requests");
  const bool serves = asked != settings.end();
  out.arguments.emplace_back(serves ? "serve" : "run");
  const auto flag = [&](const std::string& name, const std::string& text) {
    out.arguments.push_back("--" + name);
    out.arguments.push_back(text);
    hash.field(name).field(text);
  };
  for (const char* kind : {"platform", "model", "trace"})
    if (const auto s = settings.find(kind); s != settings.end()) {
      const std::string path = resolved(kind, s->second);
      out.arguments.push_back(std::string("--") + kind);
      out.arguments.push_back(path);
      // What the file says counts, not where it lies.
      hash.field(kind).field(s->second).field(content_digest(kind, path));
    }
  if (serves) {
    // A file of requests counts by what it says, too.
    const std::string path = resolved("serve.requests", asked->second);
    if (std::error_code none; std::filesystem::is_regular_file(path, none)) {
      hash.field(content_digest("requests", path));
      asked->second = path;
    }
  }
  for (const char* prefix : {"serve.", "workload.", "options."})
    for (const auto& [path, text] : settings)
      if (path.rfind(prefix, 0) == 0) flag(path.substr(std::string(prefix).size()), text);
  for (const auto& [path, text] : settings) {
    if (path == "platform" || path == "model" || path == "trace") continue;
    if (path.rfind("workload.", 0) == 0 || path.rfind("options.", 0) == 0 || path.rfind("serve.", 0) == 0) continue;
    flag("set", path + "=" + text);
  }
  if (m_spec.whatif) {
    out.arguments.emplace_back("--whatif");
    hash.field("whatif");
  }
  out.key = hash.hex().substr(0, 40);
  return out;
}

std::string plan::digest() const {
  sha256 hash;
  hash.field(m_program.version).field(m_program.digest).field(std::to_string(size()));
  for (const std::size_t n : {std::size_t{0}, size() / 2, size() - 1}) hash.field(at(n).key);
  hash.field(m_spec.text);
  for (const auto& b : m_spec.base) hash.field(b.path).field(b.text);
  return hash.hex();
}

}  // namespace memwall::sweep
