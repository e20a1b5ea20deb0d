// SPDX-License-Identifier: Apache-2.0
// Files that are whole under their final name, or not there. Every failure to write is an io_error (exit code 4).
#pragma once
#include <fstream>
#include <optional>
#include <string>

#include "tools/process/signals.h"

namespace memwall::tools {

/// Writes text to a file through a temporary name in the same folder.
void write_whole(const std::string& path, const std::string& text);
/// The contents of a file; nothing when it cannot be read.
std::optional<std::string> read_text(const std::string& path);

/// A file written piece by piece. It appears under its name with finish(); without, nothing is left.
class output_file {
 public:
  explicit output_file(const std::string& path);
  /// Where it is until it is finished. For who opens files by name; else use stream().
  const std::string& part() const { return m_part.path(); }
  std::ostream& stream();
  /// Throws io_error when something could not be written.
  void finish();

 private:
  std::string m_path;
  temporary_name m_part;
  std::ofstream m_stream;
};

}  // namespace memwall::tools
