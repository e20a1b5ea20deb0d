// SPDX-License-Identifier: Apache-2.0
// What people hand over: YAML, JSON and tables, whole, broken and hostile.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "hw/common/config.h"
#include "hw/common/csv.h"
#include "hw/common/json_document.h"
#include "hw/common/text_file.h"
#include "tests/support/temp_dir.h"

using namespace memwall;
using config::node;

namespace {

/// What the reading of `text` says; "" when nothing is wrong.
template <class Read>
std::string complaint(Read&& read) {
  try {
    read();
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}
std::string yaml_complaint(const std::string& text, const config::limits& most = {}) {
  return complaint([&] { node::parse_text(text, "f.yaml", most); });
}
std::string json_complaint(const std::string& text) {
  return complaint([&] { node::parse_json(text, "f.json"); });
}
bool begins(const std::string& text, const std::string& with) {
  return text.compare(0, with.size(), with) == 0;
}
std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(yaml, an_alias_stands_for_what_its_anchor_names) {
  const node n = node::parse_text("a: &x {k: [1, 2]}\nb: *x\nc: &y 7\nd: *y\n", "f.yaml");
  EXPECT_EQ(n.at_path("b.k")->to_json().dump(), "[1,2]");
  EXPECT_EQ(n.find("d")->text(), "7");
}

TEST(yaml, an_anchor_that_is_given_again_names_the_later_value) {
  const node n = node::parse_text("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "f.yaml");
  EXPECT_EQ(n.find("b")->text(), "1");
  EXPECT_EQ(n.find("d")->text(), "2");
  EXPECT_TRUE(begins(yaml_complaint("a: &x 1\nb: &x [*x]\n"), "f.yaml:2: an alias stands inside"));
}

TEST(yaml, nothing_a_tilde_and_null_are_null_and_quoted_they_are_text) {
  const node n =
      node::parse_text("a:\nb: ~\nc: null\nd: NULL\ne: \"null\"\nf: ''\ng: nullable\nh: !!str null\n", "f.yaml");
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_TRUE(n.find(key)->is_null()) << key;
  for (const char* key : {"e", "f", "g", "h"}) EXPECT_TRUE(n.find(key)->is_scalar()) << key;
  EXPECT_EQ(n.find("e")->text(), "null");
  EXPECT_EQ(n.find("f")->text(), "");
}

TEST(yaml, an_alias_inside_its_own_anchor_is_refused) {
  EXPECT_TRUE(begins(yaml_complaint("a: 1\nb: &a [*a]\n"), "f.yaml:2: an alias stands inside"));
  EXPECT_TRUE(begins(yaml_complaint("&a {k: {l: *a}}"), "f.yaml:1: an alias stands inside"));
  EXPECT_TRUE(begins(yaml_complaint("a: 1\nb: *c\n"), "f.yaml:2: the alias '*c' has no anchor"));
}

// Each line stands for ten times the line before: 10^8 values in 400 bytes.
TEST(yaml, aliases_count_as_what_they_stand_for) {
  std::string bomb = "x0: &x0 [lol]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*x" + std::to_string(i - 1);
    bomb += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " [" + repeated(before + ", ", 9) + before + "]\n";
  }
  const auto start = std::chrono::steady_clock::now();
  const std::string m = yaml_complaint(bomb);
  EXPECT_NE(m.find("the file becomes too large here"), std::string::npos) << m;
  EXPECT_TRUE(begins(m, "f.yaml:7:")) << "2 x 10^5 values in line 6 fit, ten times as many do not: " << m;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  const std::string text = "a: &a " + std::string(1 << 20, 'x') + "\nb: [" + repeated("*a, ", 200) + "*a]\n";
  EXPECT_NE(yaml_complaint(text).find("too large"), std::string::npos) << "a long text, 202 times";
}

// 2 maps, 2 values and a list with 3 values: 8 nodes, the outermost included.
TEST(yaml, limits_hold_to_the_last_value) {
  const std::string text = "a: {b: 1, c: 2}\nd: [1, 2, 3]\n";
  config::limits most;
  most.nodes = 8;
  EXPECT_EQ(yaml_complaint(text, most), "");
  most.nodes = 7;
  EXPECT_NE(yaml_complaint(text, most), "");
  most = {};
  most.depth = 2;
  EXPECT_EQ(yaml_complaint(text, most), "");
  most.depth = 1;
  EXPECT_NE(yaml_complaint(text, most), "");
  EXPECT_NE(yaml_complaint("a: &x {b: 1}\nc: [*x]\n", {2, 100, 100}), "") << "depth through an alias";
  EXPECT_EQ(yaml_complaint("a: &x {b: 1}\nc: [*x]\n", {3, 100, 100}), "");
}

TEST(yaml, depth_is_limited_before_the_stack_is) {
  for (const std::string& open : {std::string("["), std::string("{a: "), std::string("- "), std::string("? ")}) {
    EXPECT_NE(yaml_complaint(repeated(open, 100000)), "") << open;
    EXPECT_NE(yaml_complaint(repeated(open, 120) + "1"), "") << open;
  }
  EXPECT_NE(yaml_complaint(repeated("[", 101) + repeated("]", 101)).find("at most 100 levels"), std::string::npos);
  EXPECT_EQ(yaml_complaint(repeated("[", 100) + repeated("]", 100)), "");
}

TEST(yaml, refuses_what_would_be_read_in_part) {
  EXPECT_TRUE(begins(yaml_complaint("a: 1\n---\nb: 2\n"), "f.yaml:2: a second document begins"));
  EXPECT_TRUE(begins(yaml_complaint("a: 1\n\"\": 2\n"), "f.yaml:2: an empty key"));
  EXPECT_TRUE(begins(yaml_complaint("a: 1\n? \n: 2\n"), "f.yaml:2: an empty key"));
  EXPECT_TRUE(begins(yaml_complaint("a: 1\n: 2\n"), "f.yaml:2: is not valid YAML"));
  EXPECT_TRUE(begins(yaml_complaint("a: 1\n[x]: 2\n"), "f.yaml:2: a map or list as a key"));
  EXPECT_TRUE(begins(yaml_complaint("a: 1\nb: {c: 1,\n  c: 2}\n"), "f.yaml:3: c: given twice"));
  EXPECT_TRUE(begins(yaml_complaint("a: 1\nb: !!python/object:x 2\n"), "f.yaml:2:")) << "a tag";
  EXPECT_TRUE(begins(yaml_complaint("a: 1\nb: \x04 2\n"), "f.yaml:2: a control character (0x04)"));
  EXPECT_EQ(yaml_complaint("---\na: 1\n...\n"), "") << "marks around the one document";
}

TEST(yaml, reads_marks_and_line_ends_of_other_systems) {
  const node n = node::parse_text(
      "\xef\xbb\xbf"
      "a: 1\r\nb:\r\n  c: x y\r\nd: |\r\n  two\r\n  lines\r\n",
      "f.yaml");
  EXPECT_EQ(n.find("a")->text(), "1");
  EXPECT_EQ(n.at_path("b.c")->text(), "x y");
  EXPECT_EQ(n.at_path("b.c")->where(), "f.yaml:3");
  EXPECT_EQ(n.find("d")->text(), "two\nlines\n");
}

// Lone and missing continuation bytes, a surrogate, a code point above 0x10ffff, a longer form than needed.
TEST(utf8, what_is_none_is_refused_with_its_line) {
  for (const char* bad :
       {"\xff\xfe", "\x80", "\xc3", "\xc3(", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "\xe0\x80\xaf"}) {
    const std::string m = yaml_complaint("a: 1\nb: x" + std::string(bad) + "\n");
    EXPECT_TRUE(begins(m, "f.yaml:2: byte 5 of the line")) << m;
    EXPECT_NE(json_complaint("{\"a\":\n\"" + std::string(bad) + "\"}").find("f.json:2:"), std::string::npos);
  }
  EXPECT_EQ(yaml_complaint("a: \xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\nlong ascii line that is read by words: 1\n"), "");
}

TEST(json, is_read_with_the_lines_of_its_values) {
  const node n = node::parse_json(
      "\xef\xbb\xbf{\r\n \"a\": 1,\n \"b\": [true, null,\n  -2.5e3\n ],\n \"c\": \"x\"\n}\n", "f.json");
  EXPECT_EQ(n.find("a")->where(), "f.json:2");
  EXPECT_EQ(n.at_path("b.0")->text(), "true");
  EXPECT_TRUE(n.at_path("b.1")->is_null());
  EXPECT_EQ(n.at_path("b.2")->text(), "-2.5e3") << "digits as written";
  EXPECT_EQ(n.at_path("b.2")->where(), "f.json:4") << "the line of the number, not of what follows";
  EXPECT_EQ(n.find("c")->where(), "f.json:6");
}

TEST(json, surrogate_pairs_and_long_keys_are_read) {
  const std::string key(3000, 'k');
  const node n = node::parse_json("{\"" + key + "\": \"\\ud83d\\ude00 \\u00e4\"}", "f.json");
  EXPECT_EQ(n.find(key)->text(), "\xf0\x9f\x98\x80 \xc3\xa4");
  EXPECT_NE(json_complaint("{\"a\": \"\\ud83d\"}"), "") << "half a pair";
}

TEST(json, comments_and_other_liberties_are_refused) {
  EXPECT_TRUE(begins(json_complaint("{\n // heads\n \"a\": 1}"), "f.json:2: a comment"));
  EXPECT_TRUE(begins(json_complaint("{\"a\": 1,\n\n /* b */ \"c\": 2}"), "f.json:3: a comment"));
  EXPECT_TRUE(begins(json_complaint("{\"a\": 1,\n # b\n \"c\": 2}"), "f.json:2: a comment"));
  EXPECT_TRUE(begins(json_complaint("{\"a\": 1,\n}"), "f.json:2: is not valid JSON"));
  EXPECT_TRUE(begins(json_complaint("{\"a\": 1,\n\"a\": 2}"), "f.json:2: a: given twice"));
  EXPECT_TRUE(begins(json_complaint("{\"\": 1}"), "f.json:1: an empty key"));
  EXPECT_TRUE(begins(json_complaint("{} {}"), "f.json:1: is not valid JSON"));
  EXPECT_TRUE(begins(json_complaint(""), "f.json:1: is not valid JSON"));
  EXPECT_NE(json_complaint(repeated("[", 200000)).find("at most 100 levels"), std::string::npos);
}

// The parser's words end with the text that it has read last: of 200 bytes all is said, of more the first 200 or, where
// those end inside a character, the whole ones before.
TEST(json, a_defect_in_a_long_text_is_told_in_200_bytes) {
  const auto defect = [](const std::string& text) {
    const std::string said = json_complaint("[\"" + text), head = "f.json:1: is not valid JSON: ";
    EXPECT_TRUE(begins(said, head)) << said;
    return said.substr(head.size());
  };
  const std::string words = defect("");
  EXPECT_TRUE(begins(words, "while parsing ")) << words;
  EXPECT_EQ(words.substr(words.size() - 2), "\"'");
  const std::size_t before = words.size() - 1;  // of the text
  const auto whole = [&](const std::string& text) { return words.substr(0, before) + text + "'"; };
  const int room = static_cast<int>(200 - words.size());
  EXPECT_EQ(defect(repeated("a", room)), whole(repeated("a", room)));
  EXPECT_EQ(defect(repeated("a", room + 1)), whole(repeated("a", room + 1)).substr(0, 200) + "...");
  for (int letters = 0; letters < 3; ++letters) {
    const std::string text = repeated("a", letters) + repeated("\xe2\x82\xac", 100);
    const std::size_t begin = before + static_cast<std::size_t>(letters), end = begin + (200 - begin) / 3 * 3;
    EXPECT_EQ(defect(text), whole(text).substr(0, end) + "...");
  }
}

TEST(json_document, is_not_walked_into_the_end_of_the_stack) {
  const auto read = [](const std::string& text) {
    return complaint([&] { parse_json_document(text, "r.json", "a result"); });
  };
  EXPECT_NE(read(repeated("[", 200000) + repeated("]", 200000)).find("too deep"), std::string::npos);
  EXPECT_NE(read(repeated("{\"a\":", 200000) + "1" + repeated("}", 200000)).find("too deep"), std::string::npos);
  EXPECT_EQ(read(repeated("[", 90) + repeated("]", 90)), "");
  const auto deepest = static_cast<std::size_t>(config::limits().depth);
  EXPECT_EQ(read(repeated("[", deepest) + "1" + repeated("]", deepest)), "");
  EXPECT_NE(read(repeated("[", deepest + 1) + repeated("]", deepest + 1)), "");
  EXPECT_TRUE(begins(read("{\n\"a\": 1,\n"), "r.json:3: is not JSON"));
  EXPECT_NE(read("{\"a\": 1e999}"), "");
  EXPECT_NE(read("\"\xff\""), "");
}

TEST(text_file, only_regular_files_are_read) {
  const test::temp_dir dir;
  const std::string pipe = dir / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const auto said = [](const std::string& path) { return complaint([&] { read_text_file(path, "a YAML file"); }); };
  EXPECT_EQ(said(pipe), pipe + ": is a pipe, not a file (expected a YAML file)");
  EXPECT_EQ(said("/dev/zero"), "/dev/zero: is a device, not a file (expected a YAML file)");
  EXPECT_EQ(said(dir.path()), dir.path() + ": is a directory, not a file (expected a YAML file)");
  EXPECT_EQ(said(dir / "none"), (dir / "none") + ": cannot be read: No such file or directory (expected a YAML file)");
  std::ofstream(dir / "large") << std::string((1 << 20) + 1, ' ');
  EXPECT_NE(complaint([&] { read_text_file(dir / "large", "text", 1 << 20); }).find("at most 1 MiB"),
            std::string::npos);
  EXPECT_EQ(read_text_file(dir / "large", "text", (1 << 20) + 1).size(), (1u << 20) + 1);
}

TEST(config, a_base_lies_under_what_names_it) {
  const std::map<std::string, std::string> files = {{"a", "base: b\nx: {p: 1}\n"},
                                                    {"b", "base: c\nx: {p: 2, q: 2}\n"},
                                                    {"c", "x: {p: 3, q: 3, r: 3}\n"},
                                                    {"d", "base: e\n"},
                                                    {"e", "base: d\n"},
                                                    {"f", "base: [a]\n"}};
  const auto read = [&](const std::string& name) {
    return config::named_tree{name, node::parse_text(files.at(name), name)};
  };
  const auto resolve = [&](const std::string& name) {
    return config::with_bases(read(name),
                              [&](const std::string& n, const std::string&, const std::string&) { return read(n); });
  };
  EXPECT_EQ(resolve("a").to_json().dump(), R"({"x":{"p":1,"q":2,"r":3}})");
  EXPECT_EQ(complaint([&] { resolve("d"); }), "e:1: base: is cyclic: d -> e -> d (expected a chain that ends)")
      << "named where the loop closes";
  EXPECT_NE(complaint([&] { resolve("f"); }), "");
}

/// Records of a table, cells in brackets; or what is wrong with it.
std::string table(const std::string& text) {
  std::string out;
  const std::string wrong = complaint([&] {
    csv_reader in(std::make_unique<std::istringstream>(text), "t.csv", "a table");
    for (std::vector<std::string> cells; in.next(cells); out += "\n")
      for (const auto& c : cells) out += "[" + c + "]";
  });
  return wrong.empty() ? out : wrong;
}

TEST(csv, reads_quotes_marks_and_line_ends) {
  EXPECT_EQ(table("a,b\n1,2\n"), "[1][2]\n");
  EXPECT_EQ(table("\xef\xbb\xbf\"a\",b\r\n\"x, \"\"y\"\"\",  2 \r\n"), "[x, \"y\"][2]\n");
  EXPECT_EQ(table("a,b\n\"two\nlines\",3"), "[two\nlines][3]\n") << "no line end at the end of the file";
  EXPECT_EQ(table("a,b,\n1,2,\n"), "[1][2][]\n") << "a comma behind every line";
  EXPECT_EQ(table("a,b\n\n,\n1,2\n\n"), "[1][2]\n") << "blank lines";
  EXPECT_EQ(table("a,b\n1,\n"), "[1][]\n");
  EXPECT_EQ(table("a,b\n1,5\" disk\n"), "[1][5\" disk]\n");
}

TEST(csv, says_what_is_wrong_and_where) {
  EXPECT_TRUE(begins(table("name,m\nq,1,024\n"), "t.csv:2: 3 cells under 2 columns: '024' is one too many"));
  EXPECT_TRUE(begins(table("a,b,c\n1,2,3\n1,2\n"), "t.csv:3: 2 cells under 3 columns"));
  EXPECT_TRUE(begins(table("a,b,\n1,2,3\n"), "t.csv:2: '3' stands in column 3, which has no name"));
  EXPECT_TRUE(begins(table("a,b\n\n\"x\",\"y\n"), "t.csv:3: a quote is not closed"));
  EXPECT_TRUE(begins(table("a,b\n\"x\"y,1\n"), "t.csv:2: text behind the closing quote of 'x'"));
  EXPECT_TRUE(begins(table("a;b\n1;2\n"), "t.csv:1: the columns are separated by semicolons"));
  EXPECT_TRUE(begins(table("a,b\n1,\xff\n"), "t.csv:2: byte 1 of the line (0xff) is not UTF-8"));
  EXPECT_TRUE(begins(table("a\rb\r"), "t.csv:1: a carriage return inside a line"));
  EXPECT_TRUE(begins(table(""), "t.csv: is empty"));
}

// Of a long cell the first forty bytes are shown, or one less where that would cut a character in two.
TEST(csv, shows_the_beginning_of_a_long_cell) {
  const auto said = [](const std::string& cell) { return table("a,b\n\"" + cell + "\"y,1\n"); };
  const std::string start = "t.csv:2: text behind the closing quote of '", x39(39, 'x'), end = "...'";
  EXPECT_TRUE(begins(said(x39 + "y"), start + x39 + "y'"));
  EXPECT_TRUE(begins(said(x39 + "yz"), start + x39 + "y" + end));
  EXPECT_TRUE(begins(said(x39 + "\u00e9z"), start + x39 + end));
  EXPECT_TRUE(begins(said(x39 + "y\u00e9z"), start + x39 + "y" + end));
}

TEST(csv, no_cell_runs_as_a_formula_and_all_read_back) {
  EXPECT_EQ(csv_cell("=1+1"), "'=1+1");
  EXPECT_EQ(csv_cell("@SUM(A1)"), "'@SUM(A1)");
  EXPECT_EQ(csv_cell("+cmd"), "'+cmd");
  EXPECT_EQ(csv_cell("-cmd|' /C calc'!A0"), "'-cmd|' /C calc'!A0");
  EXPECT_EQ(csv_cell("\t=1"), "'\t=1") << "a blank that a spreadsheet strips";
  EXPECT_EQ(csv_cell("-5.5"), "-5.5") << "a number is no formula";
  EXPECT_EQ(csv_cell("+1e3"), "+1e3");
  EXPECT_EQ(csv_cell("a, \"b\""), "\"a, \"\"b\"\"\"");
  EXPECT_EQ(csv_cell("plain"), "plain");
  for (const std::string text : {"=1+1", "-x", "@", "a,b", "\"", " edge ", "two\nlines", "'quoted'", "-1", "+1 ns"})
    EXPECT_EQ(table("a,b\n1," + csv_cell(text) + "\n"), "[1][" + text + "]\n");
}

}  // namespace
