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

std::string data_path(const std::string& relative) {
  std::vector<fs::path> roots;
  if (const char* env = std::getenv("MEMWALL_DATA")) roots.emplace_back(env);
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
  if (!self.empty()) roots.push_back(self.parent_path().parent_path() / "share" / "memwall");
  std::string list = MEMWALL_DATA_ROOTS;  // ':'-separated, set by the build
  while (!list.empty()) {
    const auto colon = list.find(':');
    roots.emplace_back(list.substr(0, colon));
    list = colon == std::string::npos ? "" : list.substr(colon + 1);
  }
  for (const auto& root : roots)
    if (fs::exists(root / relative, ignored)) return (root / relative).string();
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
