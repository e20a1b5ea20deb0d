// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "hw/common/error.h"
#include "hw/common/io_error.h"
#include "hw/ports/version.h"
#include "memwall_commit.h"
#include "platforms/execute/run.h"
#include "tools/commands.h"
#include "tools/process/signals.h"

namespace memwall::tools {
int exit_status = done;
}

namespace {

/// "(did you mean '--context'?)" for the first word that the command does not know; "" when nothing is near.
std::string suggestion(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> commands;
  for (const auto* sub : app.get_subcommands(nullptr)) commands.push_back(sub->get_name());
  const std::string command = argc > 1 ? argv[1] : "";
  std::string near;
  if (std::find(commands.begin(), commands.end(), command) == commands.end()) {
    near = memwall::nearest_name(command, commands);
  } else {
    std::vector<std::string> options;
    for (const auto* option : app.get_subcommand(command)->get_options(nullptr))
      for (const auto& name : option->get_lnames()) options.push_back("--" + name);
    for (int i = 2; i < argc && near.empty(); ++i) {
      const std::string word = argv[i], name = word.substr(0, word.find('='));
      if (name.rfind("--", 0) == 0 && std::find(options.begin(), options.end(), name) == options.end())
        near = memwall::nearest_name(name, options);
    }
  }
  return near.empty() ? "" : "(did you mean '" + near + "'?)\n";
}

}  // namespace

// The program's one try/catch: every error becomes a message and an exit code here.
int main(int argc, char** argv) {
  using namespace memwall;
  tools::end_on_signals();
  CLI::App app{"memwall: a SystemC/TLM-2.0 simulator of the memory wall"};
  app.set_version_flag("--version", std::string("memwall ") + MEMWALL_VERSION + " (commit " + MEMWALL_COMMIT +
                                        "), SystemC " + systemc_version());
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  // tools::add_NAME(app) for each command
  tools::add_run(app);
  tools::add_whatif(app);
  tools::add_serve(app);
  tools::add_compare(app);
  tools::add_describe(app);
  tools::add_dram(app);
  tools::add_fit(app);
  tools::add_trace(app);
  tools::add_validate(app);
  tools::add_sweep(app);
  tools::add_report(app);
  tools::add_accuracy(app);
  tools::add_print(app);
  tools::add_infer(app);
  try {
    app.parse(argc, argv);
    if (!std::cout.flush()) throw io_error("standard output: cannot be written (is the disk full?)");
    return tools::exit_status;
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    if (code != 0) std::cerr << suggestion(app, argc, argv);
    return code == 0 ? tools::done : tools::bad_input;
  } catch (const input_error& e) {
    std::cerr << "memwall: " << e.what() << '\n';
    return tools::bad_input;
  } catch (const capacity_error& e) {
    std::cerr << "memwall: " << e.what() << '\n';
    return tools::does_not_fit;
  } catch (const std::filesystem::filesystem_error& e) {
    std::cerr << "memwall: " << e.what() << '\n';
    return tools::cannot_write;
  } catch (const io_error& e) {
    std::cerr << "memwall: " << e.what() << '\n';
    return tools::cannot_write;
  } catch (const platforms::starved_error& e) {
    std::cerr << "memwall: " << e.what() << '\n';
    return tools::internal_error;
  } catch (const std::exception& e) {
    std::cerr << "memwall: internal error: " << e.what()
              << "\nThis is a bug in memwall. Please report it with the command line and the configuration used.\n";
    return tools::internal_error;
  }
}
