// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hw/common/error.h"

namespace memwall::config {

/// A configuration tree that remembers where each value came from (file and line, or "--set").
/// Scalars stay text until a parameter table gives them a type.
class node {
 public:
  enum class kind { null, scalar, sequence, map };
  using entry = std::pair<std::string, node>;

  node() = default;
  static node scalar(std::string text, std::string where);
  static node map(std::string where);
  static node sequence(std::string where);

  /// Reads YAML (JSON is YAML). Errors name the file and the line. Duplicate keys are errors.
  static node parse_file(const std::string& path);
  static node parse_text(const std::string& text, const std::string& name);

  kind type() const { return m_kind; }
  bool is_null() const { return m_kind == kind::null; }
  bool is_scalar() const { return m_kind == kind::scalar; }
  bool is_map() const { return m_kind == kind::map; }
  bool is_sequence() const { return m_kind == kind::sequence; }
  const std::string& text() const { return m_text; }    ///< of a scalar
  const std::string& where() const { return m_where; }  ///< "file:line" or the option it came from

  const std::vector<entry>& entries() const {
    return m_entries;
  }  ///< of a map (in file order) or a sequence (keys "0", "1", ...)
  std::vector<entry>& entries() { return m_entries; }
  const node* find(std::string_view key) const;  ///< child, nullptr if absent
  node* find(std::string_view key);
  const node* at_path(std::string_view dotted) const;

  node& insert(std::string key, node child);  ///< adds or replaces
  void erase(std::string_view key);
  node& append(node child);  ///< to a sequence

  /// Maps merge key by key; anything else in `over` replaces what is here.
  void merge(const node& over);
  /// `--set a.b.c=text`. Creates maps on the way; whether the key exists is the parameter table's business.
  /// The text is read as YAML, so that lists and maps can be set too.
  void set(std::string_view dotted, const std::string& text, const std::string& where);

  nlohmann::ordered_json to_json() const;

 private:
  kind m_kind = kind::null;
  std::string m_text, m_where;
  std::vector<entry> m_entries;
};

}  // namespace memwall::config
