// SPDX-License-Identifier: Apache-2.0
#include "hw/common/data_dir.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#ifndef MEMWALL_DATA_ROOTS
#define MEMWALL_DATA_ROOTS ""
#endif

namespace memwall {
namespace fs = std::filesystem;

namespace {

bool is_source_tree(const fs::path& dir) {
  std::error_code ignored;
  return fs::is_directory(dir / "platforms" / "presets", ignored) && fs::is_directory(dir / "hw" / "dram", ignored);
}

/// Where files are looked for unless the environment says where, by the place of the program. That does not change.
std::vector<fs::path> roots_of_program() {
  std::vector<fs::path> roots;
  // Relative to the program first, so that a copied or moved tree reads its own files and not the original's: an
  // installed program has them in ../share/memwall, one in a build tree in the source tree above it.
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
  if (!self.empty()) roots.push_back(self.parent_path().parent_path() / "share" / "memwall");
  for (fs::path up = self.parent_path(); up.has_relative_path(); up = up.parent_path())
    if (is_source_tree(up)) {
      roots.push_back(up);
      break;
    }
  std::string list = MEMWALL_DATA_ROOTS;  // ':'-separated, set by the build
  while (!list.empty()) {
    const auto colon = list.find(':');
    roots.emplace_back(list.substr(0, colon));
    list = colon == std::string::npos ? "" : list.substr(colon + 1);
  }
  return roots;
}

}  // namespace

std::string data_path(const std::string& relative) {
  static const std::vector<fs::path> roots = roots_of_program();
  const auto found_in = [&](const fs::path& root) {
    std::error_code ignored;
    const fs::path path = root / relative;
    return fs::exists(path, ignored) ? path.string() : std::string();
  };
  if (const char* env = std::getenv("MEMWALL_DATA"))
    if (std::string path = found_in(env); !path.empty()) return path;
  for (const auto& root : roots)
    if (std::string path = found_in(root); !path.empty()) return path;
  return {};
}

std::vector<std::string> data_names(const std::string& relative_dir, const std::string& extension) {
  std::vector<std::string> out;
  const std::string dir = data_path(relative_dir);
  if (dir.empty()) return out;
  for (const auto& entry : fs::directory_iterator(dir))
    if (entry.path().extension() == extension) out.push_back(entry.path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace memwall
