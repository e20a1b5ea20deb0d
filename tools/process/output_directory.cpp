// SPDX-License-Identifier: Apache-2.0
#include "tools/process/output_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "hw/common/error.h"
#include "hw/common/io_error.h"
#include "tools/process/files.h"

namespace memwall::tools {
namespace fs = std::filesystem;
namespace {

constexpr const char* lock_name = ".lock";
const std::vector<std::string> result_files = {"result.json",   "layers.csv",   "waves.vcd",   "waves.gtkw",
                                               "timeline.json", "compare.json", "results.csv", "requests.csv",
                                               "steps.csv",     "goodput.svg",  "latency.svg", "rates.json"};

/// What the holder of a lock wrote into it: {kind, process, host, folders}.
nlohmann::json note_in(const std::string& path) {
  auto out = nlohmann::json::parse(read_text(path + "/" + lock_name).value_or(""), nullptr, false);
  return out.is_object() ? out : nlohmann::json::object();
}

/// An open file is still the one of that name.
bool is_file(int open_file, const std::string& path) {
  struct stat here = {}, there = {};
  return ::fstat(open_file, &here) == 0 && ::lstat(path.c_str(), &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

/// The disk's fault: it is full, or broken.
bool is_of_disk(int reason) {
  return reason == ENOSPC || reason == EDQUOT || reason == EIO;
}

bool is_picture(const std::string& name) {
  return name.rfind("crossover-", 0) == 0 && fs::path(name).extension() == ".svg";
}

}  // namespace

output_directory::output_directory(const std::string& path, const std::string& kind) : m_path(path), m_kind(kind) {
  std::error_code failure;
  fs::create_directories(path, failure);
  const auto refuse = [&](int reason) {
    if (is_of_disk(reason)) throw io_error(path + ": cannot be written: " + std::strerror(reason));
    throw input_error(problem{"--out " + path, "", std::string("cannot be used: ") + std::strerror(reason),
                              "a directory that can be made and written to", ""});
  };
  if (failure) refuse(failure.value());
  if (!fs::is_directory(path, failure)) refuse(ENOTDIR);
  if (::access(path.c_str(), W_OK | X_OK) != 0) refuse(errno);
  const std::string lock = path + "/" + lock_name;
  // Who was just killed may leave a child between fork and exec, which holds the lock for its last moments.
  bool locked = false;
  for (int attempt = 0; !locked && attempt < 100; ++attempt) {
    if (attempt > 0) ::usleep(20'000);
    if (m_file < 0) m_file = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (m_file < 0) refuse(errno);
    locked = ::flock(m_file, LOCK_EX | LOCK_NB) == 0;
    if (locked && !is_file(m_file, lock)) {  // its last holder has removed it meanwhile: the name is another file's now
      ::close(std::exchange(m_file, -1));
      locked = false;
    }
  }
  if (!locked) {
    const auto holder = note_in(path);
    if (m_file >= 0) ::close(m_file);
    throw input_error(problem{"--out", path,
                              fmt::format("another {} is running here (process {} on {})", holder.value("kind", "run"),
                                          holder.value("process", 0), holder.value("host", "an unknown host")),
                              "a folder of its own, or wait", ""});
  }
  const auto before = note_in(path);
  note(before.value("folders", std::vector<std::string>{}));
}

output_directory::~output_directory() {
  // Only who made folders inside leaves a note of them, for the one that will clear them.
  if (!m_has_folders) ::unlink((m_path + "/" + lock_name).c_str());
  ::close(m_file);
}

void output_directory::note(const std::vector<std::string>& folders) {
  m_has_folders = !folders.empty();
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const std::string text =
      nlohmann::ordered_json{{"kind", m_kind}, {"process", ::getpid()}, {"host", host}, {"folders", folders}}.dump() +
      "\n";
  if (::ftruncate(m_file, 0) != 0 || ::pwrite(m_file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    throw io_error(m_path + ": cannot be written: " + std::strerror(errno != 0 ? errno : ENOSPC));
}

void output_directory::add_folders(const std::vector<std::string>& folders) {
  auto all = note_in(m_path).value("folders", std::vector<std::string>{});
  for (const auto& f : folders)
    if (std::find(all.begin(), all.end(), f) == all.end()) all.push_back(f);
  note(all);
}

void output_directory::refuse_folders(const std::vector<std::string>& files) const {
  problem_list problems;
  std::error_code ignored;
  for (const std::string& name : files)
    if (fs::is_directory(fs::symlink_status(m_path + "/" + name, ignored)))
      problems.add({"--out " + m_path, name, "is a folder", "a folder without one of that name", ""});
  problems.check();
}

void output_directory::clear_results(const std::vector<std::string>& folders) {
  std::error_code ignored;
  if (fs::exists(m_path + "/points", ignored) || fs::exists(m_path + "/sweep.sqlite", ignored))
    throw input_error(problem{"--out", m_path, "holds a sweep", "a folder of its own", ""});
  refuse_folders(result_files);
  for (const std::string& name : result_files) {
    const std::string file = m_path + "/" + name;
    fs::remove(file, ignored);
    fs::remove(file + ".part", ignored);
  }
  std::vector<fs::path> pictures;
  for (const auto& entry : fs::directory_iterator(m_path, ignored))
    if (is_picture(entry.path().filename().string())) pictures.push_back(entry.path());
  for (const auto& p : pictures) fs::remove(p, ignored);
  for (const std::string& name : note_in(m_path).value("folders", std::vector<std::string>{})) {
    const fs::path inner = fs::path(m_path) / fs::path(name).relative_path();
    if (!fs::is_directory(inner, ignored)) continue;
    output_directory(inner.string(), m_kind).clear_results();
    fs::remove(inner / lock_name, ignored);
    // Only what has become empty goes: the rest is somebody else's.
    for (fs::path p = inner; p != fs::path(m_path) && fs::remove(p, ignored); p = p.parent_path()) {
    }
  }
  note(folders);
}

}  // namespace memwall::tools
