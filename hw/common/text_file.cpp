// SPDX-License-Identifier: Apache-2.0
#include "hw/common/text_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/locale/utf.hpp>
#include <cerrno>
#include <cstring>

#include "hw/common/error.h"

namespace memwall {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& message, const std::string& expected) {
  throw input_error(problem{path, "", message, expected, ""});
}

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

class descriptor {
 public:
  // Opening a pipe would wait for somebody to write to it.
  descriptor(const std::string& path, const std::string& expected)
      : m_file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
    struct stat s {};
    if (m_file < 0) refuse(path, std::string("cannot be read: ") + std::strerror(errno), expected);
    if (::fstat(m_file, &s) != 0 || !S_ISREG(s.st_mode)) {
      ::close(m_file);
      refuse(path, "is " + kind_of(s.st_mode) + ", not a file", expected);
    }
    m_size = static_cast<std::size_t>(s.st_size);
  }
  ~descriptor() { ::close(m_file); }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ssize_t read(char* to, std::size_t count) const {
    ssize_t n = 0;
    do n = ::read(m_file, to, count);
    while (n < 0 && errno == EINTR);
    return n;
  }
  std::size_t size() const { return m_size; }  ///< when it was opened

 private:
  int m_file;
  std::size_t m_size = 0;
};

}  // namespace

void check_regular_file(const std::string& path, const std::string& expected) {
  descriptor(path, expected);
}

std::string read_binary_file(const std::string& path, const std::string& expected, std::size_t most) {
  const descriptor file(path, expected);
  std::string out;
  constexpr std::size_t most_at_once = 1 << 16;
  for (std::size_t have = 0;;) {
    const std::size_t block = have < file.size() ? std::min(file.size() - have + 1, most_at_once) : most_at_once / 16;
    out.resize(have + block);
    const ssize_t n = file.read(out.data() + have, block);
    if (n < 0) refuse(path, std::string("cannot be read: ") + std::strerror(errno), expected);
    have += static_cast<std::size_t>(n);
    if (have > most) refuse(path, "is too large", fmt::format("{} of at most {} MiB", expected, most >> 20));
    if (n > 0) continue;
    out.resize(have);
    return out;
  }
}

std::string read_text_file(const std::string& path, const std::string& expected, std::size_t most) {
  std::string out = read_binary_file(path, expected, most);
  out.erase(0, out.size() - without_mark(out).size());
  check_utf8(out, path);
  return out;
}

std::string_view without_mark(std::string_view text) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  return text.substr(0, mark.size()) == mark ? text.substr(mark.size()) : text;
}

std::int64_t lines_before(std::string_view text, std::size_t end) {
  return std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(end, text.size())), '\n');
}

void check_utf8(std::string_view text, const std::string& name, std::int64_t first_line) {
  namespace utf = boost::locale::utf;
  for (const char* at = text.begin(); at != text.end();) {
    // Nearly all text is ASCII: eight bytes at a time.
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    std::uint64_t eight = high_bits;
    if (text.end() - at >= 8) std::memcpy(&eight, at, sizeof eight);
    if ((eight & high_bits) == 0) {
      at += 8;
      continue;
    }
    if (static_cast<unsigned char>(*at) < 0x80) {
      ++at;
      continue;
    }
    const auto byte = static_cast<unsigned char>(*at);
    const auto offset = static_cast<std::size_t>(at - text.begin());
    const utf::code_point point = utf::utf_traits<char>::decode(at, text.end());
    if (point != utf::illegal && point != utf::incomplete) continue;
    const std::size_t begin = text.rfind('\n', offset) + 1;  // npos + 1 is 0
    throw input_error(problem{name + ":" + std::to_string(first_line + lines_before(text, offset)), "",
                              fmt::format("byte {} of the line (0x{:02x}) is not UTF-8", offset - begin + 1, byte),
                              "text in UTF-8", ""});
  }
}

}  // namespace memwall
