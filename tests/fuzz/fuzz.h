// SPDX-License-Identifier: Apache-2.0
// What every fuzz target needs. A target hands the bytes to one parser; bad input is an input_error, anything else that
// leaves the parser is a defect.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "hw/common/error.h"

namespace memwall::fuzz {

/// Runs the parser. Input that is refused is fine, with a message that says something.
template <class Parse>
int accept_or_refuse(Parse&& parse) {
  try {
    parse();
  } catch (const input_error& e) {
    if (std::string(e.what()).size() < 5) std::abort();
  }
  return 0;
}

/// A file in memory, for parsers that open one by name.
class file {
 public:
  file(const std::uint8_t* data, std::size_t size) : m_file(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (m_file < 0) throw std::runtime_error("no file in memory");
    while (size > 0) {
      const ssize_t n = ::write(m_file, data, size);
      if (n <= 0) throw std::runtime_error("no room in memory");
      data += n;
      size -= static_cast<std::size_t>(n);
    }
  }
  ~file() { ::close(m_file); }
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(m_file); }

 private:
  int m_file;
};

inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace memwall::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
