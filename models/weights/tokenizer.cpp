// SPDX-License-Identifier: Apache-2.0
#include "models/weights/tokenizer.h"

#include <unicode/normalizer2.h>
#include <unicode/regex.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <queue>
#include <unordered_map>

#include "hw/common/error.h"
#include "models/weights/merges.h"

namespace memwall {
namespace {

using json = nlohmann::json;
using strings = std::vector<std::string>;

constexpr std::uintmax_t largest_file = 256U << 20;
constexpr std::size_t most_tokens = 1U << 22;

/// Where a value stands, for messages.
struct reader {
  std::string file;
  [[noreturn]] void refuse(const std::string& key, const std::string& message, const std::string& expected) const {
    throw input_error(problem{file, key, message, expected, ""});
  }
  const json& member(const json& of, const std::string& path, const char* name) const {
    const auto found = of.is_object() ? of.find(name) : of.end();
    if (!of.is_object() || found == of.end()) refuse(path + "." + name, "is missing", "a value");
    return *found;
  }
  std::string text(const json& of, const std::string& path, const char* name) const {
    const json& v = member(of, path, name);
    if (!v.is_string()) refuse(path + "." + name, "is " + v.dump(), "a string");
    return v.get<std::string>();
  }
  bool flag(const json& of, const char* name, bool otherwise) const {
    const auto found = of.find(name);
    return found == of.end() || !found->is_boolean() ? otherwise : found->get<bool>();
  }
};

std::string utf8_of(const icu::UnicodeString& s) {
  std::string out;
  s.toUTF8String(out);
  return out;
}

/// A regular expression, or a text that stands for itself.
class pattern {
 public:
  pattern(const reader& r, const json& j, const std::string& path) {
    if (j.is_object() && j.contains("Regex"))
      compile(r, r.text(j, path, "Regex"), path);
    else if (j.is_object() && j.contains("String"))
      m_literal = r.text(j, path, "String");
    else
      r.refuse(path, "is " + j.dump(), "{\"Regex\": ...} or {\"String\": ...}");
    if (!m_regex && m_literal.empty()) r.refuse(path, "is empty", "a text to look for");
  }

  /// Calls f(piece, whether it matched) for all of `text`, in order.
  void split(const std::string& text, const std::function<void(std::string, bool)>& f) const {
    if (!m_regex) {
      std::size_t at = 0;
      for (std::size_t hit; (hit = text.find(m_literal, at)) != std::string::npos; at = hit + m_literal.size()) {
        if (hit > at) f(text.substr(at, hit - at), false);
        f(m_literal, true);
      }
      if (at < text.size()) f(text.substr(at), false);
      return;
    }
    const icu::UnicodeString wide = icu::UnicodeString::fromUTF8(text);
    UErrorCode status = U_ZERO_ERROR;
    const std::unique_ptr<icu::RegexMatcher> m(m_regex->matcher(wide, status));
    std::int32_t at = 0;
    while (U_SUCCESS(status) && m->find(status)) {
      const std::int32_t begin = m->start(status), end = m->end(status);
      if (begin > at) f(utf8_of(wide.tempSubStringBetween(at, begin)), false);
      if (end > begin) f(utf8_of(wide.tempSubStringBetween(begin, end)), true);
      at = end;
    }
    if (at < wide.length()) f(utf8_of(wide.tempSubStringBetween(at, wide.length())), false);
  }

 private:
  void compile(const reader& r, const std::string& expression, const std::string& path) {
    UErrorCode status = U_ZERO_ERROR;
    UParseError where;
    m_regex.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(expression), where, status));
    if (U_FAILURE(status)) r.refuse(path, "is no regular expression: " + expression, "ICU's syntax");
  }
  std::shared_ptr<icu::RegexPattern> m_regex;
  std::string m_literal;
};

/// Printable characters that byte-level BPE writes for bytes, and back (GPT-2).
struct byte_level {
  std::array<std::string, 256> of_byte;
  std::unordered_map<std::string, unsigned char> byte_of;
  byte_level() {
    int next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      of_byte[static_cast<std::size_t>(b)] = utf8_of(icu::UnicodeString(static_cast<UChar32>(plain ? b : next++)));
      byte_of[of_byte[static_cast<std::size_t>(b)]] = static_cast<unsigned char>(b);
    }
  }
};
const byte_level& bytes_as_text() {
  static const byte_level table;
  return table;
}
// What GPT-2 cuts text into before merging.
const char* const gpt2_pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::size_t character_length(std::string_view s, std::size_t at) {
  const auto b = static_cast<unsigned char>(s[at]);
  const std::size_t n = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
  return std::min(n, s.size() - at);
}

using normalizer = std::function<std::string(const std::string&)>;
using splitter = std::function<void(strings&)>;
using decoder = std::function<void(strings&)>;

std::string replaced(const std::string& text, const pattern& p, const std::string& by) {
  std::string out;
  p.split(text, [&](const std::string& piece, bool hit) { out += hit ? by : piece; });
  return out;
}

void add_normalizers(const reader& r, const json& j, const std::string& path, std::vector<normalizer>& out) {
  if (j.is_null()) return;
  const std::string type = r.text(j, path, "type");
  if (type == "Sequence") {
    for (const auto& one : r.member(j, path, "normalizers")) add_normalizers(r, one, path, out);
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* form = type == "NFC"    ? icu::Normalizer2::getNFCInstance(status)
                                   : type == "NFD"  ? icu::Normalizer2::getNFDInstance(status)
                                   : type == "NFKC" ? icu::Normalizer2::getNFKCInstance(status)
                                                    : icu::Normalizer2::getNFKDInstance(status);
    out.emplace_back([form](const std::string& s) {
      UErrorCode failure = U_ZERO_ERROR;
      return utf8_of(form->normalize(icu::UnicodeString::fromUTF8(s), failure));
    });
  } else if (type == "Lowercase") {
    out.emplace_back([](const std::string& s) { return utf8_of(icu::UnicodeString::fromUTF8(s).toLower()); });
  } else if (type == "Prepend") {
    out.emplace_back([what = r.text(j, path, "prepend")](const std::string& s) { return s.empty() ? s : what + s; });
  } else if (type == "Replace") {
    out.emplace_back([p = pattern(r, r.member(j, path, "pattern"), path + ".pattern"),
                      by = r.text(j, path, "content")](const std::string& s) { return replaced(s, p, by); });
  } else if (type == "Strip") {
    out.emplace_back([left = r.flag(j, "strip_left", true), right = r.flag(j, "strip_right", true)](std::string s) {
      const char* blanks = " \t\r\n\v\f";
      if (right) s.erase(s.find_last_not_of(blanks) + 1);
      if (left) s.erase(0, std::min(s.find_first_not_of(blanks), s.size()));
      return s;
    });
  } else {
    r.refuse(path + ".type", "got '" + type + "'",
             "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace or Strip");
  }
}

// Every piece becomes what `f` makes of it.
void each_piece(strings& pieces, const std::function<void(std::string, strings&)>& f) {
  strings out;
  for (auto& p : pieces) f(std::move(p), out);
  pieces = std::move(out);
}

void add_splitters(const reader& r, const json& j, const std::string& path, std::vector<splitter>& out) {
  if (j.is_null()) return;
  const std::string type = r.text(j, path, "type");
  if (type == "Sequence") {
    for (const auto& one : r.member(j, path, "pretokenizers")) add_splitters(r, one, path, out);
  } else if (type == "ByteLevel") {
    if (r.flag(j, "add_prefix_space", true))
      out.emplace_back([](strings& s) {
        for (auto& p : s)
          if (p.empty() || p.front() != ' ') p = ' ' + p;
      });
    if (r.flag(j, "use_regex", true))
      out.emplace_back([p = pattern(r, json{{"Regex", gpt2_pattern}}, path)](strings& s) {
        each_piece(s, [&](const std::string& text, strings& to) {
          p.split(text, [&](std::string piece, bool) { to.push_back(std::move(piece)); });
        });
      });
    out.emplace_back([](strings& s) {
      for (auto& p : s) {
        std::string mapped;
        for (const char c : p) mapped += bytes_as_text().of_byte[static_cast<unsigned char>(c)];
        p = std::move(mapped);
      }
    });
  } else if (type == "Split") {
    const std::string behavior = r.text(j, path, "behavior");
    if (behavior != "Isolated" && behavior != "Removed" && behavior != "MergedWithPrevious" &&
        behavior != "MergedWithNext")
      r.refuse(path + ".behavior", "got '" + behavior + "'", "Isolated, Removed, MergedWithPrevious or MergedWithNext");
    out.emplace_back([p = pattern(r, r.member(j, path, "pattern"), path + ".pattern"), behavior,
                      invert = r.flag(j, "invert", false)](strings& s) {
      each_piece(s, [&](const std::string& text, strings& to) {
        bool join_next = false;
        const std::size_t first = to.size();
        p.split(text, [&](const std::string& piece, bool hit) {
          const bool separator = hit != invert;
          if (separator && behavior == "Removed") return;
          if ((separator && behavior == "MergedWithPrevious" && to.size() > first) || join_next)
            to.back() += piece;
          else
            to.push_back(piece);
          join_next = separator && behavior == "MergedWithNext";
        });
      });
    });
  } else if (type == "Metaspace") {
    const std::string mark = r.text(j, path, "replacement");
    const auto scheme = j.find("prepend_scheme");
    const bool prepend =
        scheme != j.end() && scheme->is_string() ? *scheme != "never" : r.flag(j, "add_prefix_space", true);
    const bool split = r.flag(j, "split", true);
    out.emplace_back([mark, prepend, split](strings& s) {
      each_piece(s, [&](const std::string& text, strings& to) {
        std::string marked;
        for (const char c : text) c == ' ' ? marked += mark : marked += c;
        if (prepend && marked.compare(0, mark.size(), mark) != 0) marked = mark + marked;
        if (!split) return to.push_back(marked);
        // A mark begins a piece.
        std::size_t begin = 0;
        for (std::size_t hit; (hit = marked.find(mark, begin + 1)) != std::string::npos; begin = hit)
          to.push_back(marked.substr(begin, hit - begin));
        to.push_back(marked.substr(begin));
      });
    });
  } else if (type == "Digits") {
    out.emplace_back([p = pattern(r, json{{"Regex", r.flag(j, "individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)"}},
                                  path)](strings& s) {
      each_piece(s, [&](const std::string& text, strings& to) {
        p.split(text, [&](std::string piece, bool) { to.push_back(std::move(piece)); });
      });
    });
  } else {
    r.refuse(path + ".type", "got '" + type + "'", "Sequence, ByteLevel, Split, Metaspace or Digits");
  }
}

void add_decoders(const reader& r, const json& j, const std::string& path, std::vector<decoder>& out) {
  if (j.is_null()) return;
  const std::string type = r.text(j, path, "type");
  if (type == "Sequence") {
    for (const auto& one : r.member(j, path, "decoders")) add_decoders(r, one, path, out);
  } else if (type == "ByteLevel") {
    out.emplace_back([](strings& s) {
      std::string text;
      for (const auto& p : s)
        for (std::size_t at = 0; at < p.size();) {
          const std::size_t n = character_length(p, at);
          const auto found = bytes_as_text().byte_of.find(p.substr(at, n));
          found == bytes_as_text().byte_of.end() ? text += p.substr(at, n) : text += static_cast<char>(found->second);
          at += n;
        }
      s = {text};
    });
  } else if (type == "Metaspace") {
    const std::string mark = r.text(j, path, "replacement");
    const auto scheme = j.find("prepend_scheme");
    const bool prepend =
        scheme != j.end() && scheme->is_string() ? *scheme != "never" : r.flag(j, "add_prefix_space", true);
    out.emplace_back([p = pattern(r, json{{"String", mark}}, path), mark, prepend](strings& s) {
      for (std::size_t i = 0; i < s.size(); ++i) {
        if (i == 0 && prepend && s[i].compare(0, mark.size(), mark) == 0) s[i].erase(0, mark.size());
        s[i] = replaced(s[i], p, " ");
      }
    });
  } else if (type == "Replace") {
    out.emplace_back(
        [p = pattern(r, r.member(j, path, "pattern"), path + ".pattern"), by = r.text(j, path, "content")](strings& s) {
          for (auto& piece : s) piece = replaced(piece, p, by);
        });
  } else if (type == "ByteFallback") {
    out.emplace_back([](strings& s) {
      for (auto& p : s)
        if (p.size() == 6 && p.compare(0, 3, "<0x") == 0 && p.back() == '>' && std::isxdigit(p[3]) &&
            std::isxdigit(p[4]))
          p = std::string(1, static_cast<char>(std::stoi(p.substr(3, 2), nullptr, 16)));
    });
  } else if (type == "Fuse") {
    out.emplace_back([](strings& s) {
      std::string whole;
      for (const auto& p : s) whole += p;
      s = {whole};
    });
  } else if (type == "Strip") {
    const auto number = [&](const char* name) {
      const json& v = r.member(j, path, name);
      if (!v.is_number_unsigned()) r.refuse(path + "." + name, "is " + v.dump(), "a number");
      return v.get<std::size_t>();
    };
    const std::string what = r.text(j, path, "content");
    out.emplace_back([what, start = number("start"), stop = number("stop")](strings& s) {
      for (auto& p : s) {
        for (std::size_t i = 0; i < start && !what.empty() && p.compare(0, what.size(), what) == 0; ++i)
          p.erase(0, what.size());
        for (std::size_t i = 0; i < stop && p.size() >= what.size() && !what.empty() &&
                                p.compare(p.size() - what.size(), what.size(), what) == 0;
             ++i)
          p.erase(p.size() - what.size());
      }
    });
  } else {
    r.refuse(path + ".type", "got '" + type + "'",
             "Sequence, ByteLevel, Metaspace, Replace, ByteFallback, Fuse or Strip");
  }
}

}  // namespace

struct tokenizer::impl {
  struct added {
    std::string text;
    std::int32_t id = 0;
    bool special = false;
  };
  std::vector<normalizer> normalizers;
  std::vector<splitter> splitters;
  std::vector<decoder> decoders;
  std::vector<added> extra;  // longest first
  std::vector<std::int32_t> before, after;
  std::unordered_map<std::string, std::int32_t> ids;
  std::vector<std::string> pieces;  // by id
  std::vector<bool> special;
  merge_table merges;
  std::vector<double> scores;  // Unigram, by id
  double least_score = 0;
  std::size_t longest = 1;  // piece, in bytes
  std::int32_t unknown = -1;
  bool unigram = false, fallback = false, whole_first = false, fuse_unknown = false;

  void add_piece(const reader& r, const std::string& piece, std::int64_t id) {
    if (id < 0 || id >= static_cast<std::int64_t>(most_tokens))
      r.refuse("model.vocab", "'" + piece + "' has number " + std::to_string(id), "0 to 4194303");
    const auto at = static_cast<std::size_t>(id);
    if (at >= pieces.size()) pieces.resize(at + 1), special.resize(at + 1, false);
    pieces[at] = piece;
    ids.emplace(piece, static_cast<std::int32_t>(id));
    longest = std::max(longest, piece.size());
  }

  void read_bpe(const reader& r, const json& m) {
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (const auto found = m.find(key); found != m.end() && !found->is_null() &&
                                          !(found->is_string() && found->get_ref<const std::string&>().empty()))
        r.refuse(std::string("model.") + key, "is " + found->dump(), "null: this form is not read");
    const json& vocab = r.member(m, "model", "vocab");
    if (!vocab.is_object()) r.refuse("model.vocab", "is no object", "pieces and their numbers");
    for (const auto& [piece, id] : vocab.items()) {
      if (!id.is_number_integer()) r.refuse("model.vocab", "'" + piece + "' has " + id.dump(), "a number");
      add_piece(r, piece, id.get<std::int64_t>());
    }
    const json& list = r.member(m, "model", "merges");
    if (!list.is_array()) r.refuse("model.merges", "is no list", "pairs of pieces");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string key = "model.merges[" + std::to_string(i) + "]";
      std::string left, right;
      if (list[i].is_string()) {
        const std::string both = list[i].get<std::string>();
        const std::size_t blank = both.find(' ', 1);
        if (blank == std::string::npos) r.refuse(key, "is '" + both + "'", "two pieces");
        left = both.substr(0, blank);
        right = both.substr(blank + 1);
      } else if (list[i].is_array() && list[i].size() == 2 && list[i][0].is_string() && list[i][1].is_string()) {
        left = list[i][0].get<std::string>();
        right = list[i][1].get<std::string>();
      } else {
        r.refuse(key, "is " + list[i].dump(), "two pieces");
      }
      const auto a = ids.find(left), b = ids.find(right), whole = ids.find(left + right);
      if (a == ids.end() || b == ids.end() || whole == ids.end())
        r.refuse(key, "joins '" + left + "' and '" + right + "'", "pieces of model.vocab whose sum is there too");
      merges.add(a->second, b->second, whole->second);
    }
    whole_first = r.flag(m, "ignore_merges", false);
    fuse_unknown = r.flag(m, "fuse_unk", false);
    if (const auto u = m.find("unk_token"); u != m.end() && u->is_string()) {
      const auto found = ids.find(u->get<std::string>());
      if (found != ids.end()) unknown = found->second;
    }
  }

  void read_unigram(const reader& r, const json& m) {
    unigram = true;
    const json& vocab = r.member(m, "model", "vocab");
    if (!vocab.is_array()) r.refuse("model.vocab", "is no list", "pieces and their scores");
    least_score = std::numeric_limits<double>::max();
    for (std::size_t i = 0; i < vocab.size(); ++i) {
      const json& v = vocab[i];
      if (!v.is_array() || v.size() != 2 || !v[0].is_string() || !v[1].is_number())
        r.refuse("model.vocab[" + std::to_string(i) + "]", "is " + v.dump(), "a piece and its score");
      add_piece(r, v[0].get<std::string>(), static_cast<std::int64_t>(i));
      scores.push_back(v[1].get<double>());
      least_score = std::min(least_score, scores.back());
    }
    if (const auto u = m.find("unk_id"); u != m.end() && u->is_number_unsigned()) {
      if (u->get<std::size_t>() >= pieces.size()) r.refuse("model.unk_id", "is " + u->dump(), "one of model.vocab");
      unknown = u->get<std::int32_t>();
    }
  }

  // A character without a piece: its bytes' pieces, or the unknown token.
  void add_unknown(std::string_view character, std::vector<std::int32_t>& out) const {
    if (fallback) {
      std::vector<std::int32_t> all;
      for (const char c : character) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned char>(c));
        const auto found = ids.find(name);
        if (found == ids.end()) break;
        all.push_back(found->second);
      }
      if (all.size() == character.size()) {
        out.insert(out.end(), all.begin(), all.end());
        return;
      }
    }
    if (unknown >= 0 && !(fuse_unknown && !out.empty() && out.back() == unknown)) out.push_back(unknown);
  }

  void encode_bpe(const std::string& word, std::vector<std::int32_t>& out) const {
    if (whole_first)
      if (const auto found = ids.find(word); found != ids.end()) return out.push_back(found->second);
    std::vector<std::int32_t> symbols;
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t n = character_length(word, at);
      const auto found = ids.find(word.substr(at, n));
      if (found != ids.end())
        symbols.push_back(found->second);
      else
        add_unknown(std::string_view(word).substr(at, n), symbols);
      at += n;
    }
    merges.apply(symbols);
    out.insert(out.end(), symbols.begin(), symbols.end());
  }

  // The most likely cut (Viterbi). An unknown character scores ten less than the least piece, as in SentencePiece.
  void encode_unigram(const std::string& word, std::vector<std::int32_t>& out) const {
    constexpr double penalty = 10, never = -std::numeric_limits<double>::infinity();
    struct step {
      double score;
      std::size_t from;
      std::int32_t id;
    };
    std::vector<step> best(word.size() + 1, {never, 0, -1});
    best[0].score = 0;
    for (std::size_t at = 0; at < word.size(); ++at) {
      if (best[at].score == never) continue;
      const std::size_t one = character_length(word, at);
      bool single = false;
      for (std::size_t end = at + one; end <= word.size() && end - at <= longest;
           end += end < word.size() ? character_length(word, end) : 1) {
        const auto found = ids.find(word.substr(at, end - at));
        if (found == ids.end() || found->second == unknown || static_cast<std::size_t>(found->second) >= scores.size())
          continue;
        single = single || end == at + one;
        const double score = best[at].score + scores[static_cast<std::size_t>(found->second)];
        if (score > best[end].score) best[end] = {score, at, found->second};
      }
      if (!single && best[at].score + least_score - penalty > best[at + one].score)
        best[at + one] = {best[at].score + least_score - penalty, at, -1};
    }
    std::vector<std::pair<std::size_t, std::size_t>> cuts;
    for (std::size_t end = word.size(); end > 0; end = best[end].from) cuts.emplace_back(best[end].from, end);
    for (auto c = cuts.rbegin(); c != cuts.rend(); ++c)
      if (const std::int32_t id = best[c->second].id; id >= 0)
        out.push_back(id);
      else
        add_unknown(std::string_view(word).substr(c->first, c->second - c->first), out);
  }

  void encode_plain(std::string text, std::vector<std::int32_t>& out) const {
    if (text.empty()) return;
    for (const auto& n : normalizers) text = n(text);
    strings words{text};
    for (const auto& s : splitters) s(words);
    for (const auto& w : words)
      if (!w.empty()) unigram ? encode_unigram(w, out) : encode_bpe(w, out);
  }

  void read_post(const reader& r, const json& j, const std::string& path) {
    if (j.is_null()) return;
    const std::string type = r.text(j, path, "type");
    if (type == "Sequence") {
      for (const auto& one : r.member(j, path, "processors")) read_post(r, one, path);
    } else if (type == "TemplateProcessing") {
      std::vector<std::int32_t>* to = &before;
      for (const auto& item : r.member(j, path, "single")) {
        if (item.contains("Sequence")) to = &after;
        if (!item.contains("SpecialToken")) continue;
        const std::string name = r.text(item["SpecialToken"], path, "id");
        const json& ids_of = r.member(r.member(r.member(j, path, "special_tokens"), path, name.c_str()), path, "ids");
        for (const auto& id : ids_of) to->push_back(id.get<std::int32_t>());
      }
    } else if (type != "ByteLevel") {
      r.refuse(path + ".type", "got '" + type + "'", "Sequence, TemplateProcessing or ByteLevel");
    }
  }
};

tokenizer::tokenizer(std::unique_ptr<impl> i) : m_impl(std::move(i)) {}
tokenizer::tokenizer(tokenizer&&) noexcept = default;
tokenizer::~tokenizer() = default;

tokenizer tokenizer::from_file(const std::string& path) {
  std::error_code failure;
  const auto size = std::filesystem::file_size(path, failure);
  std::ifstream in(path, std::ios::binary);
  if (failure || !in || size > largest_file)
    throw input_error(problem{path, "", "cannot be read, or is larger than 256 MiB", "a tokenizer.json", ""});
  return from_text({std::istreambuf_iterator<char>(in), {}}, path);
}

tokenizer tokenizer::from_text(const std::string& text, const std::string& where) {
  const reader r{where};
  json root;
  try {
    root = json::parse(text);
    if (!root.is_object()) r.refuse("", "is no JSON object", "a tokenizer.json");
    auto t = std::make_unique<impl>();
    const auto part = [&](const char* name) { return root.contains(name) ? root[name] : json(); };
    const json& m = r.member(root, "", "model");
    const std::string type = m.contains("type") ? r.text(m, "model", "type") : m.contains("merges") ? "BPE" : "Unigram";
    t->fallback = r.flag(m, "byte_fallback", false);
    if (type == "BPE")
      t->read_bpe(r, m);
    else if (type == "Unigram")
      t->read_unigram(r, m);
    else
      r.refuse("model.type", "got '" + type + "'", "BPE or Unigram");
    add_normalizers(r, part("normalizer"), "normalizer", t->normalizers);
    add_splitters(r, part("pre_tokenizer"), "pre_tokenizer", t->splitters);
    add_decoders(r, part("decoder"), "decoder", t->decoders);
    t->read_post(r, part("post_processor"), "post_processor");
    for (const auto& a : part("added_tokens")) {
      impl::added one{r.text(a, "added_tokens", "content"), r.member(a, "added_tokens", "id").get<std::int32_t>(),
                      r.flag(a, "special", false)};
      t->add_piece(r, one.text, one.id);
      t->special[static_cast<std::size_t>(one.id)] = one.special;
      if (!one.text.empty()) t->extra.push_back(std::move(one));
    }
    std::stable_sort(t->extra.begin(), t->extra.end(),
                     [](const auto& a, const auto& b) { return a.text.size() > b.text.size(); });
    return tokenizer(std::move(t));
  } catch (const json::exception& e) {
    r.refuse("", std::string("cannot be understood: ") + e.what(), "a tokenizer.json");
  }
}

std::vector<std::int32_t> tokenizer::encode(std::string_view text, bool special) const {
  std::vector<std::int32_t> out;
  if (special) out = m_impl->before;
  std::string plain;
  for (std::size_t at = 0; at < text.size();) {
    const auto hit = std::find_if(m_impl->extra.begin(), m_impl->extra.end(),
                                  [&](const auto& a) { return text.compare(at, a.text.size(), a.text) == 0; });
    if (hit == m_impl->extra.end()) {
      plain += text[at++];
      continue;
    }
    m_impl->encode_plain(std::move(plain), out);
    plain.clear();
    out.push_back(hit->id);
    at += hit->text.size();
  }
  m_impl->encode_plain(std::move(plain), out);
  if (special) out.insert(out.end(), m_impl->after.begin(), m_impl->after.end());
  return out;
}

std::string tokenizer::decode(const std::vector<std::int32_t>& tokens) const {
  strings pieces;
  for (const std::int32_t t : tokens)
    if (t >= 0 && static_cast<std::size_t>(t) < m_impl->pieces.size() && !m_impl->special[static_cast<std::size_t>(t)])
      pieces.push_back(m_impl->pieces[static_cast<std::size_t>(t)]);
  for (const auto& d : m_impl->decoders) d(pieces);
  std::string out;
  for (const auto& p : pieces) out += p;
  return out;
}

std::int64_t tokenizer::size() const {
  return static_cast<std::int64_t>(m_impl->pieces.size());
}

}  // namespace memwall
