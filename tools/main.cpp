// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
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
  std::vector<std::string> names;
  for (const auto* sub : app.get_subcommands(nullptr)) names.push_back(sub->get_name());
  const std::string first = argc > 1 ? argv[1] : "";
  std::string near;
  if (std::find(names.begin(), names.end(), first) == names.end()) {
    near = memwall::nearest_name(first, names);
  } else {
    std::vector<std::string> options;
    for (const auto* option : app.get_subcommand(first)->get_options(nullptr))
      for (const auto& name : option->get_lnames()) options.push_back("--" + name);
    for (int i = 2; i < argc && near.empty(); ++i) {
      const std::string word = argv[i], name = word.substr(0, word.find('='));
      if (name.rfind("--", 0) == 0 && std::find(options.begin(), options.end(), name) == options.end())
        near = memwall::nearest_name(name, options);
    }
  }
  return near.empty() ? "" : "(did you mean '" + near + "'?)\n";
}

struct command {
  std::string_view name;
  void (*add)(CLI::App&);
};

/// All of them, in the order of `memwall --help`.
constexpr command commands[] = {{"run", memwall::tools::add_run},           {"whatif", memwall::tools::add_whatif},
                                {"serve", memwall::tools::add_serve},       {"compare", memwall::tools::add_compare},
                                {"describe", memwall::tools::add_describe}, {"dram", memwall::tools::add_dram},
                                {"fit", memwall::tools::add_fit},           {"trace", memwall::tools::add_trace},
                                {"validate", memwall::tools::add_validate}, {"sweep", memwall::tools::add_sweep},
                                {"report", memwall::tools::add_report},     {"accuracy", memwall::tools::add_accuracy},
                                {"print", memwall::tools::add_print},       {"infer", memwall::tools::add_infer}};

/// The command that the line begins with, alone: declaring the options of all of them takes longer than reading a
/// platform. All, where it begins with something else, and for `print`, which tells them.
void add_commands(CLI::App& app, std::string_view first) {
  if (first != "print")
    for (const command& c : commands)
      if (c.name == first) return c.add(app);
  for (const command& c : commands) c.add(app);
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
  add_commands(app, argc > 1 ? argv[1] : "");
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
