// SPDX-License-Identifier: Apache-2.0
#include "hw/common/config.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace memwall::config {
namespace {

node convert(const YAML::Node& in, const std::string& name) {
  const std::string where = name + ":" + std::to_string(in.Mark().line + 1);
  switch (in.Type()) {
    case YAML::NodeType::Scalar:
      return node::scalar(in.Scalar(), where);
    case YAML::NodeType::Sequence: {
      node out = node::sequence(where);
      for (const auto& child : in) out.append(convert(child, name));
      return out;
    }
    case YAML::NodeType::Map: {
      node out = node::map(where);
      for (const auto& child : in) {
        const std::string key = child.first.Scalar();
        if (out.find(key) != nullptr)
          throw input_error(problem{name + ":" + std::to_string(child.first.Mark().line + 1), key,
                                    "given twice in one map", "each key once", ""});
        out.insert(key, convert(child.second, name));
      }
      return out;
    }
    default:
      return node();
  }
}

template <class Load>
node guarded(const std::string& name, Load&& load) {
  try {
    return convert(load(), name);
  } catch (const YAML::BadFile&) {
    throw input_error(problem{name, "", "cannot be read", "a readable YAML file", ""});
  } catch (const YAML::ParserException& e) {
    throw input_error(problem{name + ":" + std::to_string(e.mark.line + 1), "", "is not valid YAML: " + e.msg, "", ""});
  } catch (const YAML::Exception& e) {
    throw input_error(problem{name, "", std::string("is not valid YAML: ") + e.what(), "", ""});
  }
}

}  // namespace

node node::scalar(std::string text, std::string where) {
  node out;
  out.m_kind = kind::scalar;
  out.m_text = std::move(text);
  out.m_where = std::move(where);
  return out;
}

node node::map(std::string where) {
  node out;
  out.m_kind = kind::map;
  out.m_where = std::move(where);
  return out;
}

node node::sequence(std::string where) {
  node out;
  out.m_kind = kind::sequence;
  out.m_where = std::move(where);
  return out;
}

node node::parse_file(const std::string& path) {
  return guarded(path, [&] { return YAML::LoadFile(path); });
}

node node::parse_text(const std::string& text, const std::string& name) {
  return guarded(name, [&] { return YAML::Load(text); });
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
  *at = parse_text(text, where);
  // One line of text: the line number says nothing, the option does.
  struct relabel {
    static void apply(node& n, const std::string& w) {
      n.m_where = w;
      for (auto& e : n.m_entries) apply(e.second, w);
    }
  };
  relabel::apply(*at, where);
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

}  // namespace memwall::config
