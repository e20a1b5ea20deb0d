// SPDX-License-Identifier: Apache-2.0
#include "tools/process/scratch.h"

#include <cstdlib>
#include <filesystem>

#include "hw/common/error.h"

namespace memwall::tools {
namespace fs = std::filesystem;

scratch::scratch(const std::string& prefix) {
  std::error_code none;
  m_path = (fs::temp_directory_path(none) / (prefix + "-XXXXXX")).string();
  if (::mkdtemp(m_path.data()) == nullptr)
    throw input_error(problem{m_path, "", "cannot be made", "a writable TMPDIR", ""});
}

scratch::~scratch() {
  std::error_code ignored;
  fs::remove_all(m_path, ignored);
}

}  // namespace memwall::tools
