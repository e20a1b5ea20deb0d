// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "hw/common/config.h"
#include "hw/common/error.h"

namespace memwall {

/// A problem found by code that does not know where its values were read: file and line are added from `tree`, which
/// they came from, and `path`, which leads to the tree, goes in front of the key.
problem located(problem p, const config::node& tree, const std::string& path);

/// What `make()` returns; the problems it throws are located().
template <class Make>
auto locating(const config::node& tree, const std::string& path, Make&& make) {
  try {
    return make();
  } catch (const input_error& e) {
    std::vector<problem> all;
    for (const auto& p : e.problems()) all.push_back(located(p, tree, path));
    throw input_error(std::move(all));
  }
}

}  // namespace memwall
