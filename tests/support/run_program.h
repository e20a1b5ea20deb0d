// SPDX-License-Identifier: Apache-2.0
// Runs the memwall program as a user does, and reads what it says.
#pragma once
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace memwall::test {

struct program_output {
  int exit_code = -1;
  std::string out, err;
  nlohmann::ordered_json json() const { return nlohmann::ordered_json::parse(out); }
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// `arguments` as typed in a shell. `directory`: where the error stream is kept while it runs.
inline program_output memwall(const std::string& arguments, const std::string& directory = "/tmp") {
  static int count = 0;
  const std::string errors =
      directory + "/memwall-test-" + std::to_string(getpid()) + "-" + std::to_string(count++) + ".err";
  const std::string command = std::string(MEMWALL_BINARY_DIR) + "/bin/memwall " + arguments + " 2>" + errors;
  program_output result;
  std::FILE* pipe = popen(command.c_str(), "r");
  char buffer[65536];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.out.append(buffer, n);
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.err = read_file(errors);
  std::remove(errors.c_str());
  return result;
}

}  // namespace memwall::test
