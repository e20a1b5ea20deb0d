// SPDX-License-Identifier: Apache-2.0
// Runs the memwall program as a user does, and reads what it says.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/json_schema.h"

namespace memwall::test {

inline std::string read_file(const std::string& path);

/// A result has the form that the tree's schema gives: every test that reads one checks it.
inline void expect_declared_form(const nlohmann::ordered_json& result) {
  static const auto schema =
      nlohmann::ordered_json::parse(read_file(std::string(MEMWALL_SOURCE_DIR) + "/platforms/tell/result.schema.json"));
  std::vector<std::string> found;
  violations(schema, result, "result", found);
  for (const auto& f : found) ADD_FAILURE() << f;
}

struct program_output {
  int exit_code = -1;
  std::string out, err;
  nlohmann::ordered_json json() const {
    auto j = nlohmann::ordered_json::parse(out);
    if (j.is_object() && j.value("schema", "") == "memwall-result-1") expect_declared_form(j);
    return j;
  }
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
