// SPDX-License-Identifier: Apache-2.0
// Text to tokens and back, as a model's tokenizer.json says.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace memwall {

/// Reads the tokenizer.json of Hugging Face's tokenizers: models BPE (byte-level, or SentencePiece's with byte
/// fallback) and Unigram; the normalizers, pre-tokenizers, post-processors and decoders that models of these kinds
/// have. What it does not know is refused by name. Regular expressions and Unicode normal forms are ICU's.
class tokenizer {
 public:
  /// Throws input_error with the file and the key.
  static tokenizer from_file(const std::string& path);
  static tokenizer from_text(const std::string& text, const std::string& where);
  tokenizer(tokenizer&&) noexcept;
  ~tokenizer();

  /// UTF-8 in. `special`: what the post-processor adds (a begin-of-text token) too.
  std::vector<std::int32_t> encode(std::string_view text, bool special = true) const;
  /// Special tokens are left out. Bytes that are no UTF-8 stay as they are.
  std::string decode(const std::vector<std::int32_t>& tokens) const;
  std::int64_t size() const;  ///< one more than the largest token

 private:
  struct impl;
  explicit tokenizer(std::unique_ptr<impl> i);
  std::unique_ptr<impl> m_impl;
};

}  // namespace memwall
