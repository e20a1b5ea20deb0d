// SPDX-License-Identifier: Apache-2.0
// Each command of the program lives in one file, cmd_NAME.cpp, and adds itself to the command line with one function.
#pragma once
#include "tools/process/exit_code.h"

namespace CLI {
class App;
}

namespace memwall::tools {

/// Set by a command's callback when it ends in anything but `done` without throwing.
extern int exit_status;

// A new command is one file, one line here and one in main.cpp.
void add_run(CLI::App& app);
void add_whatif(CLI::App& app);
void add_serve(CLI::App& app);
void add_compare(CLI::App& app);
void add_describe(CLI::App& app);
void add_dram(CLI::App& app);
void add_fit(CLI::App& app);
void add_trace(CLI::App& app);
void add_validate(CLI::App& app);
void add_sweep(CLI::App& app);
void add_report(CLI::App& app);
void add_accuracy(CLI::App& app);
void add_print(CLI::App& app);
void add_infer(CLI::App& app);

}  // namespace memwall::tools
