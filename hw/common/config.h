// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hw/common/error.h"

namespace memwall::config {

/// Where a value was read: a line of a file, or an option ("--set", line 0). Copies share the name.
class place {
 public:
  place() = default;
  place(std::string name, int line = 0) : m_name(std::make_shared<const std::string>(std::move(name))), m_line(line) {}
  place(const char* name) : place(std::string(name)) {}
  place on_line(int line) const {
    place out = *this;
    out.m_line = line;
    return out;
  }
  std::string text() const {
    return m_line > 0 ? *m_name + ":" + std::to_string(m_line) : m_name != nullptr ? *m_name : std::string();
  }

 private:
  std::shared_ptr<const std::string> m_name;
  int m_line = 0;
};

/// What a file may hold at most. Aliases count as what they stand for, each time.
struct limits {
  int depth = 100;                             ///< maps and lists inside each other
  std::size_t nodes = 1'000'000;               ///< values, maps and lists
  std::size_t bytes = std::size_t{128} << 20;  ///< of keys and values
};

/// A configuration tree that remembers where each value came from (file and line, or "--set").
/// Scalars stay text until a parameter table gives them a type.
class node {
 public:
  enum class kind { null, scalar, sequence, map };
  using entry = std::pair<std::string, node>;

  node() = default;
  static node null(place where);
  static node scalar(std::string text, place where);
  static node map(place where);
  static node sequence(place where);

  /// Reads a file: JSON when its name ends in .json, else YAML. `expected` says what should be there. Throws
  /// input_error with file and line. Refused are: what is no regular file, or larger than `limits` allow; what is not
  /// UTF-8; a key that is given twice or is empty; a second YAML document; an alias inside what it stands for.
  static node parse_file(const std::string& path, const std::string& expected = "a YAML file");
  /// The same for YAML from elsewhere, in which `name` stands for the file.
  static node parse_text(const std::string& text, const std::string& name, const limits& most = {});
  /// The same for the value of an option: its line says nothing, `option` does.
  static node parse_value(const std::string& text, const std::string& option, const limits& most = {});
  /// The same for JSON, which has no comments.
  static node parse_json(const std::string& text, const std::string& name, const limits& most = {});

  kind type() const { return m_kind; }
  bool is_null() const { return m_kind == kind::null; }
  bool is_scalar() const { return m_kind == kind::scalar; }
  bool is_map() const { return m_kind == kind::map; }
  bool is_sequence() const { return m_kind == kind::sequence; }
  const std::string& text() const { return m_text; }    ///< of a scalar
  std::string where() const { return m_where.text(); }  ///< "file:line" or the option it came from

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
  std::string m_text;
  place m_where;
  std::vector<entry> m_entries;
};

/// A tree and what tells it from others, such as its file.
struct named_tree {
  std::string identity;
  node tree;
};
/// Finds what a `base:` names; `from` is the identity of the tree that names it, `where` the line.
using base_finder =
    std::function<named_tree(const std::string& name, const std::string& from, const std::string& where)>;
/// Lays a derived tree over its base. Unless said otherwise, keys of the tree replace or extend those of the base.
using base_merger = std::function<node(node base, node derived)>;
node merged(node base, node derived);

/// The tree over the tree that its key `base` names, that over its own base, and so on. A base that names one of its
/// own descendants is an error.
node with_bases(named_tree first, const base_finder& find, const base_merger& merge = merged);

}  // namespace memwall::config
