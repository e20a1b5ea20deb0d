// SPDX-License-Identifier: Apache-2.0
// YAML and JSON become nodes. Both parsers only report events: the tree is built here, within limits, so that no file
// can fill the memory or the stack.
#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

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

/// What libyaml's parser tells, event by event.
class yaml_reader {
 public:
  yaml_reader(const std::string& text, origin from, const limits& most) : m_from(std::move(from)), m_builder(most) {
    if (yaml_parser_initialize(&m_parser) == 0) throw std::bad_alloc();
    yaml_parser_set_encoding(&m_parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&m_parser, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  ~yaml_reader() { yaml_parser_delete(&m_parser); }
  yaml_reader(const yaml_reader&) = delete;
  yaml_reader& operator=(const yaml_reader&) = delete;

  node read() {
    yaml_event_type_t type;
    do {
      yaml_event_t event;
      if (yaml_parser_parse(&m_parser, &event) == 0) refuse();
      const std::unique_ptr<yaml_event_t, void (*)(yaml_event_t*)> own(&event, yaml_event_delete);
      type = event.type;
      take(event);
    } while (type != YAML_STREAM_END_EVENT);
    return m_builder.take();
  }

 private:
  place at(const yaml_mark_t& mark) const { return m_from.on(static_cast<std::int64_t>(mark.line) + 1); }

  [[noreturn]] void refuse() const {
    if (m_parser.error == YAML_MEMORY_ERROR) throw std::bad_alloc();
    std::string said = m_parser.context != nullptr ? std::string(m_parser.context) + ": " : std::string();
    said += m_parser.problem != nullptr ? m_parser.problem : "cannot be read";
    throw input_error(problem{at(m_parser.problem_mark).text(), "", "is not valid YAML: " + said, "", ""});
  }

  void take(const yaml_event_t& e) {
    const yaml_mark_t& mark = e.start_mark;
    switch (e.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (++m_documents > 1)
          throw input_error(problem{at(mark).text(), "", "a second document begins", "one document a file", ""});
        break;
      case YAML_SCALAR_EVENT:
        scalar(e.data.scalar, mark);
        break;
      case YAML_ALIAS_EVENT:
        alias(text_of(e.data.alias.anchor), mark);
        break;
      case YAML_SEQUENCE_START_EVENT:
        open(node::sequence(at(mark)), mark, e.data.sequence_start.tag, e.data.sequence_start.anchor);
        break;
      case YAML_MAPPING_START_EVENT:
        open(node::map(at(mark)), mark, e.data.mapping_start.tag, e.data.mapping_start.anchor);
        break;
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT:
        close();
        break;
      default:
        break;
    }
  }

  /// "" for none: no anchor and no tag is empty.
  static std::string text_of(const yaml_char_t* text) {
    return text != nullptr ? reinterpret_cast<const char*>(text) : std::string();
  }

  /// Types are given by whoever reads a parameter: what a tag asks for would be lost.
  void check_tag(const yaml_mark_t& mark, const std::string& tag) const {
    const std::string standard = "tag:yaml.org,2002:";
    static const std::set<std::string> plain = {"!",
                                                standard + "str",
                                                standard + "int",
                                                standard + "float",
                                                standard + "bool",
                                                standard + "null",
                                                standard + "map",
                                                standard + "seq"};
    if (!tag.empty() && plain.count(tag) == 0)
      throw input_error(problem{at(mark).text(), "", "the tag '" + tag + "' is not read", "a value without a tag", ""});
  }

  template <class Scalar>
  void scalar(const Scalar& s, const yaml_mark_t& mark) {
    if (s.tag != nullptr) check_tag(mark, text_of(s.tag));
    std::string text(reinterpret_cast<const char*>(s.value), s.length);
    const bool null = s.tag == nullptr && s.style == YAML_PLAIN_SCALAR_STYLE &&
                      (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL");
    const std::size_t bytes = null ? 0 : text.size();
    measured made{null ? node::null(at(mark)) : node::scalar(std::move(text), at(mark)), {1, bytes, 0}};
    if (s.anchor != nullptr) m_complete[text_of(s.anchor)] = made;
    m_builder.add(std::move(made), at(mark));
  }

  void alias(const std::string& anchor, const yaml_mark_t& mark) {
    if (std::find(m_anchors.begin(), m_anchors.end(), anchor) != m_anchors.end())
      throw input_error(problem{at(mark).text(), "", "an alias stands inside what it is an alias of",
                                "an anchor that ends before it", ""});
    const auto found = m_complete.find(anchor);
    if (found == m_complete.end())
      throw input_error(problem{at(mark).text(), "", "the alias '*" + anchor + "' has no anchor",
                                "an anchor that ends before it", ""});
    m_builder.add(found->second, at(mark));
  }

  void open(node empty, const yaml_mark_t& mark, const yaml_char_t* tag, const yaml_char_t* anchor) {
    check_tag(mark, text_of(tag));
    m_builder.open(std::move(empty), at(mark));
    m_anchors.push_back(text_of(anchor));
  }
  void close() {
    if (!m_anchors.back().empty()) m_complete[m_anchors.back()] = m_builder.innermost();
    m_anchors.pop_back();
    m_builder.close();
  }

  yaml_parser_t m_parser;
  origin m_from;
  builder m_builder;
  int m_documents = 0;
  std::vector<std::string> m_anchors;          // of the maps and lists that are open
  std::map<std::string, measured> m_complete;  // what anchors stand for
};

node read_yaml(const std::string& given, const origin& from, const limits& most) {
  check_utf8(given, from.name.text());
  std::string text(without_mark(given));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
      throw input_error(problem{from.on(1 + lines_before(text, i)).text(), "",
                                fmt::format("a control character (0x{:02x})", c), "text", ""});
  }
  return yaml_reader(text, from, most).read();
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
