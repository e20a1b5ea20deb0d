// SPDX-License-Identifier: Apache-2.0
// The words of the file format, by the value of their enumerator.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "traces/trace.h"

namespace memwall::trace {

extern const std::array<std::string_view, tensor_classes> class_words;
extern const std::array<std::string_view, 2> phase_words;
extern const std::array<std::string_view, op_kinds> kind_words;
extern const std::array<std::string_view, 5> shard_words;
extern const std::array<std::string_view, 3> phases_words;

/// The enumerator a word stands for.
template <class Enum, std::size_t N>
std::optional<Enum> find_word(const std::array<std::string_view, N>& words, std::string_view word) {
  for (std::size_t i = 0; i < N; ++i)
    if (words[i] == word) return static_cast<Enum>(i);
  return std::nullopt;
}

/// The words themselves, for nearest_name().
template <std::size_t N>
std::vector<std::string> all_words(const std::array<std::string_view, N>& words) {
  return {words.begin(), words.end()};
}

}  // namespace memwall::trace
