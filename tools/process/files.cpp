// SPDX-License-Identifier: Apache-2.0
#include "tools/process/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "hw/common/error.h"
#include "hw/common/io_error.h"

namespace memwall::tools {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void write_failed(const std::string& path, int reason) {
  throw io_error(path + ": cannot be written: " + std::strerror(reason != 0 ? reason : EIO));
}

void rename_to(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) write_failed(to, errno);
}

/// A new file, never one that is there, nor what a link points to.
int create(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

}  // namespace

std::optional<std::string> read_text(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::string out;
  char buffer[1 << 16];
  ssize_t n = 0;
  while ((n = ::read(file, buffer, sizeof buffer)) > 0) out.append(buffer, static_cast<std::size_t>(n));
  ::close(file);
  if (n < 0) return std::nullopt;
  return out;
}

void write_whole(const std::string& path, const std::string& text) {
  const fs::path target(path);
  // Several processes may write the same record at once: the name is this one's alone.
  temporary_name part(
      (target.parent_path() / ("." + target.filename().string() + "." + std::to_string(::getpid()) + ".part"))
          .string());
  int file = create(part.path());
  if (file < 0 && errno == ENOENT) {
    std::error_code failure;
    fs::create_directories(target.parent_path(), failure);
    if (failure) write_failed(path, failure.value());
    file = create(part.path());
  }
  if (file < 0) write_failed(path, errno);
  int reason = 0;
  for (std::size_t at = 0; at < text.size() && reason == 0;) {
    const ssize_t n = ::write(file, text.data() + at, text.size() - at);
    if (n > 0)
      at += static_cast<std::size_t>(n);
    else if (n == 0 || errno != EINTR)
      reason = n == 0 ? ENOSPC : errno;
  }
  if (::close(file) != 0 && reason == 0) reason = errno;
  if (reason != 0) write_failed(path, reason);
  rename_to(part.path(), path);
  part.release();
}

output_file::output_file(const std::string& path) : m_path(path), m_part(path + ".part") {
  // What lies there is of a run that was killed; a link would lead whoever opens it by name to another's file.
  std::error_code ignored;
  fs::remove(m_part.path(), ignored);
}

std::ostream& output_file::stream() {
  if (!m_stream.is_open()) {
    errno = 0;
    m_stream.open(m_part.path(), std::ios::binary | std::ios::trunc);
    if (!m_stream) write_failed(m_path, errno);
  }
  return m_stream;
}

void output_file::finish() {
  if (m_stream.is_open()) {
    errno = 0;
    m_stream.close();
    if (!m_stream) write_failed(m_path, errno);
  }
  rename_to(m_part.path(), m_path);
  m_part.release();
}

}  // namespace memwall::tools
