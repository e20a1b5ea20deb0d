// SPDX-License-Identifier: Apache-2.0
#include "hw/common/config.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "hw/common/text_file.h"

namespace memwall::config {

node node::null(place where) {
  node out;
  out.m_where = std::move(where);
  return out;
}

node node::scalar(std::string text, place where) {
  node out;
  out.m_kind = kind::scalar;
  out.m_text = std::move(text);
  out.m_where = std::move(where);
  return out;
}

node node::map(place where) {
  node out;
  out.m_kind = kind::map;
  out.m_where = std::move(where);
  return out;
}

node node::sequence(place where) {
  node out;
  out.m_kind = kind::sequence;
  out.m_where = std::move(where);
  return out;
}

node node::parse_file(const std::string& path, const std::string& expected) {
  const std::string_view json = ".json";
  const bool is_json = path.size() > json.size() && path.compare(path.size() - json.size(), json.size(), json) == 0;
  if (!is_json) return parse_text(read_text_file(path, expected), path);
  // A result is a platform, too, with all its operators.
  limits large;
  large.nodes = 4'000'000;
  large.bytes *= 2;
  return parse_json(read_text_file(path, expected, large.bytes), path, large);
}

const node* node::find(std::string_view key) const {
  for (const auto& [k, child] : m_entries)
    if (k == key) return &child;
  return nullptr;
}

node* node::find(std::string_view key) {
  return const_cast<node*>(std::as_const(*this).find(key));
}

const node* node::at_path(std::string_view dotted) const {
  const node* at = this;
  while (at != nullptr && !dotted.empty()) {
    const auto dot = dotted.find('.');
    at = at->find(dotted.substr(0, dot));
    dotted = dot == std::string_view::npos ? std::string_view{} : dotted.substr(dot + 1);
  }
  return at;
}

node& node::insert(std::string key, node child) {
  if (node* old = find(key)) {
    *old = std::move(child);
    return *old;
  }
  if (m_kind == kind::null) m_kind = kind::map;
  m_entries.emplace_back(std::move(key), std::move(child));
  return m_entries.back().second;
}

void node::erase(std::string_view key) {
  for (auto it = m_entries.begin(); it != m_entries.end(); ++it)
    if (it->first == key) {
      m_entries.erase(it);
      return;
    }
}

node& node::append(node child) {
  m_kind = kind::sequence;
  m_entries.emplace_back(std::to_string(m_entries.size()), std::move(child));
  return m_entries.back().second;
}

void node::merge(const node& over) {
  if (over.is_null()) return;
  if (!is_map() || !over.is_map()) {
    *this = over;
    return;
  }
  for (const auto& [key, child] : over.m_entries) {
    if (node* mine = find(key)) {
      if (child.is_null())
        *mine = child;  // `key:` without a value takes an inherited one out
      else
        mine->merge(child);
    } else {
      m_entries.emplace_back(key, child);
    }
  }
}

void node::set(std::string_view dotted, const std::string& text, const std::string& where) {
  node* at = this;
  std::string_view rest = dotted;
  while (true) {
    const auto dot = rest.find('.');
    const std::string key(rest.substr(0, dot));
    if (key.empty())
      throw input_error(problem{where, std::string(dotted), "has an empty part", "a path such as gpu.sms", ""});
    node* child = at->find(key);
    if (child == nullptr) {
      if (at->is_scalar() || at->is_sequence())
        throw input_error(
            problem{where, std::string(dotted), "'" + key + "' lies under a value that is not a map", "", ""});
      child = &at->insert(key, node::map(where));
    }
    at = child;
    if (dot == std::string_view::npos) break;
    rest = rest.substr(dot + 1);
  }
  *at = parse_value(text, where);
}

nlohmann::ordered_json node::to_json() const {
  switch (m_kind) {
    case kind::scalar: {
      if (m_text == "true") return true;
      if (m_text == "false") return false;
      char* end = nullptr;
      const long long integer = std::strtoll(m_text.c_str(), &end, 10);
      if (!m_text.empty() && *end == '\0') return integer;
      const double number = std::strtod(m_text.c_str(), &end);
      if (!m_text.empty() && *end == '\0') return number;
      return m_text;
    }
    case kind::sequence: {
      auto out = nlohmann::ordered_json::array();
      for (const auto& [unused, child] : m_entries) out.push_back(child.to_json());
      return out;
    }
    case kind::map: {
      auto out = nlohmann::ordered_json::object();
      for (const auto& [key, child] : m_entries) out[key] = child.to_json();
      return out;
    }
    default:
      return nullptr;
  }
}

node merged(node base, node derived) {
  base.merge(derived);
  return base;
}

node with_bases(named_tree first, const base_finder& find, const base_merger& merge) {
  std::vector<named_tree> chain{std::move(first)};
  while (const node* base = chain.back().tree.find("base")) {
    if (!base->is_scalar()) throw input_error(problem{base->where(), "base", "is not text", "a name or a file", ""});
    named_tree next = find(base->text(), chain.back().identity, base->where());
    const auto same = [&](const named_tree& t) { return t.identity == next.identity; };
    if (std::any_of(chain.begin(), chain.end(), same)) {
      const auto short_name = [](const std::string& file) { return file.substr(file.rfind('/') + 1); };
      std::string loop;
      for (const auto& t : chain) loop += short_name(t.identity) + " -> ";
      throw input_error(
          problem{base->where(), "base", "is cyclic: " + loop + short_name(next.identity), "a chain that ends", ""});
    }
    chain.back().tree.erase("base");
    chain.push_back(std::move(next));
  }
  node out = std::move(chain.back().tree);
  for (chain.pop_back(); !chain.empty(); chain.pop_back()) out = merge(std::move(out), std::move(chain.back().tree));
  return out;
}

}  // namespace memwall::config
