// SPDX-License-Identifier: Apache-2.0
// The program declares the options of the command it runs alone, and loads no library of its own rooms.
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "tests/support/run_program.h"

namespace memwall {
namespace {

/// Name and description of each command, as `memwall --help` lists them.
std::vector<std::pair<std::string, std::string>> commands() {
  std::vector<std::pair<std::string, std::string>> out;
  std::istringstream help(test::memwall("--help").out);
  bool listed = false;
  for (std::string line; std::getline(help, line);) {
    if (line.rfind("Subcommands:", 0) == 0) {
      listed = true;
    } else if (listed && line.rfind("  ", 0) == 0 && line[2] != ' ') {
      const auto end = line.find(' ', 2);
      out.emplace_back(line.substr(2, end - 2), line.substr(line.find_first_not_of(' ', end)));
    }
  }
  return out;
}

TEST(commands, each_is_declared_alone_as_among_all) {
  const auto all = commands();
  ASSERT_EQ(all.size(), 14u);
  for (const auto& [name, description] : all) {
    const auto own = test::memwall(name + " --help");
    EXPECT_EQ(own.exit_code, 0) << name << '\n' << own.err;
    EXPECT_EQ(own.out.substr(0, own.out.find('\n')).substr(0, 20), description.substr(0, 20)) << name;
  }
}

// A completion knows every command and its options, though it is asked of one.
TEST(commands, are_all_there_for_completions) {
  const std::string bash = test::memwall("print completion bash").out;
  for (const auto& [name, unused] : commands()) EXPECT_NE(bash.find(name), std::string::npos) << name;
  for (const char* option : {"--transfer-bytes", "--pattern", "--rate"})
    EXPECT_NE(bash.find(option), std::string::npos) << option;
}

TEST(commands, near_misses_are_told) {
  const auto command = test::memwall("srve");
  EXPECT_EQ(command.exit_code, 2);
  EXPECT_NE(command.err.find("did you mean 'serve'"), std::string::npos) << command.err;
  const auto option = test::memwall("run --platfrom x --model gpt-2");
  EXPECT_EQ(option.exit_code, 2);
  EXPECT_NE(option.err.find("did you mean '--platform'"), std::string::npos) << option.err;
  const auto others = test::memwall("dram --tokens 3");  // an option of another command
  EXPECT_EQ(others.exit_code, 2);
}

TEST(commands, the_program_holds_its_rooms) {
  std::FILE* pipe =
      popen(("LD_TRACE_LOADED_OBJECTS=1 " + std::string(MEMWALL_BINARY_DIR) + "/bin/memwall").c_str(), "r");
  std::string loaded(65536, '\0');
  loaded.resize(std::fread(loaded.data(), 1, loaded.size(), pipe));
  pclose(pipe);
  EXPECT_NE(loaded.find("libsystemc"), std::string::npos) << loaded;
  EXPECT_EQ(loaded.find("libmemwall"), std::string::npos) << loaded;
}

}  // namespace
}  // namespace memwall
