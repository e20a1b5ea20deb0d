// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <vector>

namespace memwall {

/// Path of a data file that ships with memwall, e.g. data_path("hw/dram/standards"). Looks in $MEMWALL_DATA, then
/// relative to the program (../share/memwall, or the source tree that it lies in), then where the build was made for
/// (install prefix, source tree). Returns "" when it exists in none of them.
std::string data_path(const std::string& relative);

/// Names (without `extension`) of the files in a data directory, sorted.
std::vector<std::string> data_names(const std::string& relative_dir, const std::string& extension);

}  // namespace memwall
