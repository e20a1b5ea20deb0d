// SPDX-License-Identifier: Apache-2.0
// YAML and JSON become nodes. Both parsers only report events: the tree is built here, within limits, so that no file
// can fill the memory or the stack (yaml-cpp's own tree follows an alias into itself).
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "hw/common/config.h"
#include "hw/common/text_file.h"

namespace memwall::config {
namespace {

/// What a node takes, everything in it included.
struct extent {
  std::size_t nodes = 1, bytes = 0;
  int height = 0;
};

struct measured {
  node tree;
  extent size;
};

/// Puts values into the innermost map or list that is open.
class builder {
 public:
  explicit builder(const limits& most) : m_most(most) {}

  void key(std::string text, const place& where) {
    frame& top = m_open.back();
    if (text.empty()) throw input_error(problem{where.text(), "", "an empty key", "a name before the ':'", ""});
    if (!top.keys.insert(text).second)
      throw input_error(problem{where.text(), text, "given twice in one map", "each key once", ""});
    count({0, text.size()}, where);
    top.made.size.bytes += text.size();
    top.key = std::move(text);
  }

  void add(measured part, const place& where) {
    if (expects_key()) {
      if (!part.tree.is_scalar())
        throw input_error(problem{where.text(), "", part.tree.is_null() ? "an empty key" : "a map or list as a key",
                                  "a name before the ':'", ""});
      return key(part.tree.text(), where);
    }
    check_depth(part.size.height, where);
    count(part.size, where);
    attach(std::move(part));
  }

  void open(node empty, const place& where) {
    if (expects_key())
      throw input_error(problem{where.text(), "", "a map or list as a key", "a name before the ':'", ""});
    count({1, 0}, where);
    m_open.push_back({{std::move(empty), {}}, {}, {}});
    check_depth(0, where);
  }
  /// What was open and is complete now.
  const measured& innermost() const { return m_open.back().made; }
  void close() {
    measured made = std::move(m_open.back().made);
    m_open.pop_back();
    attach(std::move(made));
  }

  node take() { return std::move(m_root); }

 private:
  struct frame {
    measured made;
    std::set<std::string> keys;  // of a map
    std::optional<std::string> key;
  };

  bool expects_key() const { return !m_open.empty() && m_open.back().made.tree.is_map() && !m_open.back().key; }

  void attach(measured part) {
    if (m_open.empty()) {
      m_root = std::move(part.tree);
      return;
    }
    frame& top = m_open.back();
    extent& size = top.made.size;
    size.nodes += part.size.nodes;
    size.bytes += part.size.bytes;
    size.height = std::max(size.height, part.size.height + 1);
    if (top.made.tree.is_map())
      top.made.tree.entries().emplace_back(std::move(*top.key), std::move(part.tree));
    else
      top.made.tree.append(std::move(part.tree));
    top.key.reset();
  }

  void check_depth(int height, const place& where) const {
    if (static_cast<int>(m_open.size()) + height > m_most.depth)
      throw input_error(problem{where.text(), "", "maps and lists lie too deep inside each other",
                                fmt::format("at most {} levels", m_most.depth), ""});
  }
  void count(const extent& more, const place& where) {
    m_all.nodes += more.nodes;
    m_all.bytes += more.bytes;
    if (m_all.nodes > m_most.nodes || m_all.bytes > m_most.bytes)
      throw input_error(problem{where.text(), "", "the file becomes too large here, with what aliases stand for",
                                fmt::format("at most {} values and {} MiB", m_most.nodes, m_most.bytes >> 20), ""});
  }

  const limits m_most;
  std::vector<frame> m_open;
  node m_root;
  extent m_all{0, 0, 0};
};

/// Lines of a text, or one place for all of it.
struct origin {
  place name;
  bool lines = true;
  place on(std::int64_t line) const { return lines ? name.on_line(static_cast<int>(line)) : name; }
};

class yaml_events final : public YAML::EventHandler {
 public:
  yaml_events(origin from, const limits& most) : m_from(std::move(from)), m_builder(most) {}

  node take() { return m_builder.take(); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++m_documents > 1)
      throw input_error(problem{at(mark).text(), "", "a second document begins", "one document a file", ""});
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(node::null(at(mark)), mark, anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check_tag(mark, tag);
    leaf(node::scalar(text, at(mark)), mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = m_complete.find(anchor);
    if (found == m_complete.end())
      throw input_error(problem{at(mark).text(), "", "an alias stands inside what it is an alias of",
                                "an anchor that ends before it", ""});
    m_builder.add(found->second, at(mark));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(node::sequence(at(mark)), mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(node::map(at(mark)), mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  place at(const YAML::Mark& mark) const { return m_from.on(mark.line + 1); }

  /// Types are given by whoever reads a parameter: what a tag asks for would be lost.
  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    const std::string standard = "tag:yaml.org,2002:";
    static const std::set<std::string> plain = {"",
                                                "?",
                                                "!",
                                                standard + "str",
                                                standard + "int",
                                                standard + "float",
                                                standard + "bool",
                                                standard + "null",
                                                standard + "map",
                                                standard + "seq"};
    if (plain.count(tag) == 0)
      throw input_error(problem{at(mark).text(), "", "the tag '" + tag + "' is not read", "a value without a tag", ""});
  }
  void leaf(node n, const YAML::Mark& mark, YAML::anchor_t anchor) {
    const std::size_t bytes = n.text().size();
    measured made{std::move(n), {1, bytes, 0}};
    if (anchor != YAML::NullAnchor) m_complete[anchor] = made;
    m_builder.add(std::move(made), at(mark));
  }
  void open(node empty, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    check_tag(mark, tag);
    m_builder.open(std::move(empty), at(mark));
    m_anchors.push_back(anchor);
  }
  void close() {
    if (m_anchors.back() != YAML::NullAnchor) m_complete[m_anchors.back()] = m_builder.innermost();
    m_anchors.pop_back();
    m_builder.close();
  }

  origin m_from;
  builder m_builder;
  int m_documents = 0;
  std::vector<YAML::anchor_t> m_anchors;          // of the maps and lists that are open
  std::map<YAML::anchor_t, measured> m_complete;  // what anchors stand for
};

node read_yaml(const std::string& given, const origin& from, const limits& most) {
  check_utf8(given, from.name.text());
  std::string text(without_mark(given));
  for (std::size_t i = 0; i < text.size(); ++i) {
    // yaml-cpp takes some of these for the end of the file.
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
      throw input_error(problem{from.on(1 + lines_before(text, i)).text(), "",
                                fmt::format("a control character (0x{:02x})", c), "text", ""});
  }
  std::istringstream in(text);
  try {
    YAML::Parser parser(in);
    yaml_events events(from, most);
    while (parser.HandleNextDocument(events)) {
    }
    return events.take();
  } catch (const YAML::Exception& e) {
    throw input_error(problem{from.on(e.mark.line + 1).text(), "", "is not valid YAML: " + e.msg, "", ""});
  }
}

/// Says how far nlohmann's parser has read.
class counted_text {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;
  counted_text(const char* at, const char** seen) : m_at(at), m_seen(seen) {}
  reference operator*() const { return *m_at; }
  counted_text& operator++() {
    *m_seen = ++m_at;
    return *this;
  }
  bool operator==(const counted_text& other) const { return m_at == other.m_at; }
  bool operator!=(const counted_text& other) const { return m_at != other.m_at; }

 private:
  const char* m_at;
  const char** m_seen;
};

/// In the words of the parser, without its own names and without all of a long text.
std::string json_defect(std::string said) {
  if (const auto colon = said.find(": "); colon != std::string::npos) said.erase(0, colon + 2);
  const std::string_view start = "syntax error ";
  if (said.compare(0, start.size(), start) == 0) said.erase(0, start.size());
  constexpr std::size_t longest = 200;
  if (said.size() <= longest) return said;
  std::size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(said[end]) & 0xc0) == 0x80) --end;  // not inside a character
  return said.substr(0, end) + "...";
}

class json_events final : public nlohmann::json_sax<nlohmann::json> {
 public:
  json_events(std::string_view text, origin from, const limits& most)
      : m_text(text), m_from(std::move(from)), m_builder(most), m_seen(text.data()), m_counted(text.data()) {}

  const char** seen() { return &m_seen; }
  node take() { return m_builder.take(); }

  bool null() override { return leaf(node::null(here())); }
  bool boolean(bool v) override { return leaf(node::scalar(v ? "true" : "false", here())); }
  bool number_integer(std::int64_t v) override { return leaf(node::scalar(std::to_string(v), here())); }
  bool number_unsigned(std::uint64_t v) override { return leaf(node::scalar(std::to_string(v), here())); }
  bool number_float(double, const std::string& written) override { return leaf(node::scalar(written, here())); }
  bool string(std::string& v) override { return leaf(node::scalar(std::move(v), here())); }
  bool binary(nlohmann::json::binary_t&) override { return false; }  // JSON in text has none
  bool start_object(std::size_t) override { return m_builder.open(node::map(here()), here()), true; }
  bool start_array(std::size_t) override { return m_builder.open(node::sequence(here()), here()), true; }
  bool end_object() override { return m_builder.close(), true; }
  bool end_array() override { return m_builder.close(), true; }
  bool key(std::string& v) override { return m_builder.key(std::move(v), here()), true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& e) override {
    const std::size_t at = std::min(position == 0 ? 0 : position - 1, m_text.size());
    const std::string where = m_from.on(1 + lines_before(m_text, at)).text();
    const std::string_view rest = m_text.substr(at, 2);
    if (rest == "//" || rest == "/*" || rest.substr(0, 1) == "#")
      throw input_error(problem{where, "", "a comment", "JSON, which has none", ""});
    throw input_error(problem{where, "", "is not valid JSON: " + json_defect(e.what()), "", ""});
  }

 private:
  /// The line of the last token. Behind a number the parser has read one character more, which may end the line.
  place here() {
    const char* end = m_seen > m_text.data() ? m_seen - 1 : m_seen;
    if (end > m_counted) {
      m_line += std::count(m_counted, end, '\n');
      m_counted = end;
    }
    return m_from.on(m_line);
  }
  bool leaf(node n) {
    const std::size_t bytes = n.text().size();
    m_builder.add({std::move(n), {1, bytes, 0}}, here());
    return true;
  }

  std::string_view m_text;
  origin m_from;
  builder m_builder;
  const char* m_seen;
  const char* m_counted;
  std::int64_t m_line = 1;
};

}  // namespace

node node::parse_text(const std::string& text, const std::string& name, const limits& most) {
  return read_yaml(text, {name, true}, most);
}

node node::parse_value(const std::string& text, const std::string& option, const limits& most) {
  return read_yaml(text, {option, false}, most);
}

node node::parse_json(const std::string& given, const std::string& name, const limits& most) {
  const std::string_view text = without_mark(given);
  check_utf8(text, name);
  json_events events(text, {name, true}, most);
  const counted_text first(text.data(), events.seen()), last(text.data() + text.size(), events.seen());
  nlohmann::json::sax_parse(first, last, &events);
  return events.take();
}

}  // namespace memwall::config
