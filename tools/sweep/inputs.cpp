// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/inputs.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include "hw/common/config.h"
#include "hw/common/data_dir.h"
#include "hw/common/error.h"
#include "tools/sweep/digest.h"
#include "tools/sweep/plan.h"

namespace memwall::sweep {
namespace fs = std::filesystem;
namespace {

bool is_data(const fs::path& p) {
  static const std::set<std::string> extensions = {".yaml", ".yml", ".json", ".csv"};
  return extensions.count(p.extension().string()) != 0;
}

std::vector<fs::path> data_files(const std::string& folder) {
  std::vector<fs::path> out;
  const std::string root = data_path(folder);
  if (root.empty()) return out;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file() && is_data(entry.path())) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

/// The shipped file of a preset: platforms/presets/**/NAME.yaml, models/**/NAME/config.json or NAME.json.
std::string shipped(const std::string& kind, const std::string& name) {
  for (const auto& p : data_files(kind == "platform" ? "platforms/presets" : kind + "s")) {
    if (p.stem() == name) return p.string();
    if (kind == "model" && p.filename() == "config.json" && p.parent_path().filename() == name) return p.string();
  }
  return {};
}

/// The file that a name stands for; "" when there is none.
std::string file_of(const std::string& kind, const std::string& name, const std::string& directory) {
  std::string path = resolve_path(name, directory);
  if (fs::is_directory(path)) path = (fs::path(path) / "config.json").string();
  return fs::is_regular_file(path) ? path : shipped(kind, name);
}

/// The platform's file and those of its bases.
void add_platform(sha256& hash, const std::string& path) {
  const auto read = [&](const std::string& file) {
    hash.field(file_digest(file));
    return config::named_tree{file, config::node::parse_file(file)};
  };
  try {
    config::with_bases(read(path), [&](const std::string& name, const std::string& from, const std::string& where) {
      const std::string base = file_of("platform", name, fs::path(from).parent_path().string());
      if (base.empty()) throw input_error(problem{where, "base", "no platform '" + name + "'", "", ""});
      return read(base);
    });
  } catch (const input_error&) {
    // The point itself will report it.
  }
}

}  // namespace

std::string resolve_path(const std::string& name, const std::string& directory) {
  if (name.find('/') == std::string::npos && name.find('.') == std::string::npos) return name;
  std::error_code ignored;
  for (const fs::path& p : {fs::path(directory) / name, fs::current_path() / name})
    if (fs::exists(p, ignored)) return fs::weakly_canonical(p).string();
  return name;
}

std::string input_digest(const std::string& kind, const std::string& name) {
  sha256 hash;
  const std::string path = file_of(kind, name, "");
  if (kind == "platform" && !path.empty()) {
    add_platform(hash, path);
  } else if (!path.empty()) {
    hash.field(file_digest(path));
  } else if (kind == "model") {
    // Another name of a shipped model: the table of names is in the program's digest, the model may be any.
    for (const auto& p : data_files("models")) hash.field(file_digest(p.string()));
  } else {
    return {};
  }
  return hash.hex();
}

program identify_program(const std::string& runner, const std::string& version) {
  program out;
  out.version = version;
  sha256 hash;
  if (!runner.empty()) {
    out.path = fs::absolute(runner).string();
    hash.field(file_digest(out.path));
  } else {
    out.path = fs::read_symlink("/proc/self/exe").string();
    hash.field(file_digest(out.path));
    std::set<std::string> libraries;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* data) {
          const std::string path = info->dlpi_name;
          if (fs::path(path).filename().string().rfind("libmemwall_", 0) == 0)
            static_cast<std::set<std::string>*>(data)->insert(path);
          return 0;
        },
        &libraries);
    for (const auto& l : libraries)
      if (l.find("libmemwall_sweep") == std::string::npos) hash.field(file_digest(l));
  }
  for (const char* folder : {"hw", "platforms/software"})
    for (const auto& p : data_files(folder)) hash.field(p.filename().string()).field(file_digest(p.string()));
  if (const std::string names = data_path("models/aliases.yaml"); !names.empty()) hash.field(file_digest(names));
  out.digest = hash.hex();
  return out;
}

}  // namespace memwall::sweep
