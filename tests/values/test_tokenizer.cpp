// SPDX-License-Identifier: Apache-2.0
// Examples that papers and handbooks print.
#include <gtest/gtest.h>

#include "hw/common/error.h"
#include "models/weights/tokenizer.h"

using namespace memwall;

namespace {

std::string refusal(const std::string& text) {
  try {
    tokenizer::from_text(text, "t.json");
  } catch (const input_error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

// Sennrich, Haddow, Birch 2016: the merges "r .", "l o", "lo w", "e r." segment the unseen word "lower." as "low er.".
TEST(tokenizer, byte_pair_encoding_of_its_paper) {
  const auto t = tokenizer::from_text(
      R"({"model":{"type":"BPE","vocab":{"l":0,"o":1,"w":2,"e":3,"r":4,".":5,"r.":6,"lo":7,"low":8,"er.":9},)"
      R"("merges":["r .","l o","lo w","e r."]}})",
      "t.json");
  EXPECT_EQ(t.encode("lower."), (std::vector<std::int32_t>{8, 9}));
  EXPECT_EQ(t.encode("lowlow"), (std::vector<std::int32_t>{8, 8}));
  EXPECT_EQ(t.decode({8, 9}), "lower.");
}

// A model's table may have more rows than there are pieces: such numbers say nothing.
TEST(tokenizer, numbers_without_a_piece_say_nothing) {
  const auto t = tokenizer::from_text(R"({"model":{"type":"BPE","vocab":{"a":0,"b":2},"merges":[]}})", "t.json");
  EXPECT_EQ(t.size(), 3);
  EXPECT_EQ(t.decode({0, 1, 2, 3, 1000000, -1, 2}), "abb");
  EXPECT_EQ(t.decode({}), "");
}

// GPT-2: a space is written U+0120, a line feed U+010A; words take the space before them, contractions are cut off.
TEST(tokenizer, byte_level_pieces_are_those_of_gpt2) {
  const auto t = tokenizer::from_text(
      R"({"model":{"type":"BPE","ignore_merges":true,"vocab":{"Hello":0,"Ġmy":1,"Ġfriend":2,",":3,"Ġhow":4,"'s":5,"Ċ":6,"Ġ":7,"Ġ42":8},"merges":[]},)"
      R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"}})",
      "t.json");
  const std::string text = "Hello my friend, how's 42\n";
  const std::vector<std::int32_t> expected{0, 1, 2, 3, 4, 5, 8, 6};
  EXPECT_EQ(t.encode(text), expected);
  EXPECT_EQ(t.decode(expected), text);
}

// Llama 3 cuts numbers into three digits at most; its pattern is in its tokenizer.json.
TEST(tokenizer, a_split_by_a_regular_expression_with_unicode_classes) {
  const auto t = tokenizer::from_text(
      R"({"model":{"type":"BPE","ignore_merges":true,"vocab":{"été":0,"123":1,"45":2,"Ã©tÃ©":3},"merges":[]},)"
      R"x("pre_tokenizer":{"type":"Split","pattern":{"Regex":"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"},"behavior":"Isolated","invert":false}})x",
      "t.json");
  EXPECT_EQ(t.encode("été12345"), (std::vector<std::int32_t>{0, 1, 2}));
}

// The unigram example of the Hugging Face course: "unhug" is most likely cut as "un hug", 16/210 x 15/210.
TEST(tokenizer, unigram_takes_the_likeliest_cut) {
  const auto t = tokenizer::from_text(
      R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["h",-2.639],["u",-1.764],["g",-2.351],["hu",-2.639],["ug",-2.351],)"
      R"(["p",-2.514],["n",-2.574],["un",-2.574],["b",-3.961],["bu",-3.961],["s",-3.738],["hug",-2.639],["gs",-3.9]]}})",
      "t.json");
  EXPECT_EQ(t.encode("unhug"), (std::vector<std::int32_t>{8, 12}));
  EXPECT_EQ(t.encode("hugs"), (std::vector<std::int32_t>{12, 11}));  // -6.377, "hu gs" -6.539
  EXPECT_EQ(t.encode("xug"), (std::vector<std::int32_t>{0, 5}));
}

// SentencePiece's form: a mark for spaces, bytes for characters without a piece, a begin token by the post-processor.
TEST(tokenizer, sentencepiece_form_with_byte_fallback) {
  const auto t = tokenizer::from_text(
      R"({"added_tokens":[{"id":1,"content":"<s>","special":true}],)"
      R"("normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},)"
      R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],)"
      R"("special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},)"
      R"("decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},)"
      R"("model":{"type":"BPE","byte_fallback":true,"unk_token":"<unk>","vocab":{"<unk>":0,"<s>":1,"<0xC3>":2,"<0xA9>":3,"▁":4,"h":5,"i":6,"▁h":7},"merges":["▁ h"]}})",
      "t.json");
  EXPECT_EQ(t.encode("hi é"), (std::vector<std::int32_t>{1, 7, 6, 4, 2, 3}));
  EXPECT_EQ(t.encode("hi", false), (std::vector<std::int32_t>{7, 6}));
  EXPECT_EQ(t.encode("<s>h"), (std::vector<std::int32_t>{1, 1, 7}));
  EXPECT_EQ(t.decode({1, 7, 6, 4, 2, 3}), "hi é");
}

// Each step of the file of a kind that is not known, or without what it needs.
TEST(tokenizer, steps_that_make_no_sense_are_named) {
  const std::string model = R"("model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]})";
  EXPECT_EQ(refusal("{" + model + "}"), "");
  struct example {
    const char *step, *said;
  };
  for (const auto& [step, said] :
       {example{R"("normalizer":{"type":"Bert"})", "normalizer.type: got 'Bert'"},
        {R"("normalizer":{"type":"Sequence","normalizers":[{"type":"Bert"}]})", "got 'Bert'"},
        {R"("normalizer":{"type":"Replace","pattern":{"String":""},"content":""})", "is empty"},
        {R"("normalizer":{"type":"Replace","pattern":{"Text":"x"},"content":""})", "{\"Regex\": ...} or"},
        {R"("normalizer":{"type":"Replace","pattern":{"String":"x"}})", "content: is missing"},
        {R"("normalizer":{"type":"Prepend","prepend":1})", "prepend: is 1"},
        {R"("pre_tokenizer":{"type":"Split","pattern":{"String":"x"},"behavior":"Kept"})", "behavior: got 'Kept'"},
        {R"("pre_tokenizer":{"type":"Split","behavior":"Removed"})", "pattern: is missing"},
        {R"("decoder":{"type":"WordPiece"})", "decoder.type: got 'WordPiece'"},
        {R"("decoder":{"type":"Strip","content":" ","start":-1,"stop":0})", "start: is -1"},
        {R"("decoder":{"type":"Strip","content":" ","start":0})", "stop: is missing"},
        {R"("post_processor":{"type":"Roberta"})", "post_processor.type: got 'Roberta'"}})
    EXPECT_NE(refusal("{" + model + "," + step + "}").find(said), std::string::npos)
        << step << '\n'
        << refusal("{" + model + "," + step + "}");
}

TEST(tokenizer, vocabularies_that_make_no_sense_are_named) {
  struct example {
    const char *model, *said;
  };
  for (const auto& [model, said] :
       {example{R"("type":"BPE","vocab":[],"merges":[])", "model.vocab: is no object"},
        {R"("type":"BPE","vocab":{"a":"0"},"merges":[])", "'a' has \"0\""},
        {R"("type":"BPE","vocab":{"a":4194304},"merges":[])", "'a' has number 4194304"},
        {R"("type":"BPE","vocab":{"a":0})", "model.merges: is missing"},
        {R"("type":"BPE","vocab":{"a":0},"merges":{})", "model.merges: is no list"},
        {R"("type":"BPE","vocab":{"a":0},"merges":["aa"]})", "cannot be understood"},
        {R"("type":"BPE","vocab":{"a":0},"merges":["aa"])", "model.merges[0]: is 'aa'"},
        {R"("type":"BPE","vocab":{"a":0},"merges":[["a"]])", "model.merges[0]: is [\"a\"]"},
        {R"("type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"])", "joins 'a' and 'b'"},
        {R"("type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"],["b","a"]])", "model.merges[1]"},
        {R"("type":"Unigram","vocab":{})", "model.vocab: is no list"},
        {R"("type":"Unigram","vocab":[["a",0],["b"]])", "model.vocab[1]: is [\"b\"]"},
        {R"("type":"Unigram","vocab":[["a",0]],"unk_id":1)", "model.unk_id: is 1"}})
    EXPECT_NE(refusal(std::string("{\"model\":{") + model + "}}").find(said), std::string::npos)
        << model << '\n'
        << refusal(std::string("{\"model\":{") + model + "}}");
  EXPECT_EQ(refusal(R"({"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":0}})"), "");
  EXPECT_NE(refusal("[]").find("is no JSON object"), std::string::npos);
}

TEST(tokenizer, what_is_not_understood_is_named) {
  EXPECT_NE(refusal("{").find("cannot be understood"), std::string::npos);
  EXPECT_NE(refusal("{}").find("model: is missing"), std::string::npos);
  EXPECT_NE(refusal(R"({"model":{"type":"WordPiece","vocab":{}}})").find("got 'WordPiece' (expected BPE or Unigram"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}})").find("model.merges[0]"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}})").find("has number -1"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"model":{"type":"BPE","vocab":{},"merges":[]},"pre_tokenizer":{"type":"Jieba"}})")
                .find("pre_tokenizer.type: got 'Jieba'"),
            std::string::npos);
  EXPECT_NE(
      refusal(
          R"({"model":{"type":"BPE","vocab":{},"merges":[]},"normalizer":{"type":"Replace","pattern":{"Regex":"("},"content":""}})")
          .find("no regular expression"),
      std::string::npos);
}
