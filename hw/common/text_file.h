// SPDX-License-Identifier: Apache-2.0
// Files that people hand over. Whatever is read comes through here: a regular file of bounded size, in UTF-8.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace memwall {

/// No text that a person writes is longer; a file that is was given by mistake.
constexpr std::size_t largest_text = std::size_t{64} << 20;

/// Throws input_error unless `path` is a file that can be read to its end: a pipe would block and /dev/zero never ends.
/// `expected` says what should be there ("a YAML file").
void check_regular_file(const std::string& path, const std::string& expected);

/// The bytes of a regular file of at most `most` bytes. Throws input_error.
std::string read_binary_file(const std::string& path, const std::string& expected, std::size_t most);

/// The text of a regular file, in UTF-8, without a byte order mark. Throws input_error with file and line.
std::string read_text_file(const std::string& path, const std::string& expected, std::size_t most = largest_text);

/// `text` without a byte order mark in front.
std::string_view without_mark(std::string_view text);

/// Throws input_error with "name:line" unless `text` is UTF-8; its first line has the number `first_line`.
void check_utf8(std::string_view text, const std::string& name, std::int64_t first_line = 1);

/// Lines that end before `end`: how far down a byte is, from 0.
std::int64_t lines_before(std::string_view text, std::size_t end);

}  // namespace memwall
