// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace memwall::test {

/// Reads a standard, a controller and traffic out of arbitrary bytes and runs them. Returns "" or what was wrong: an
/// illegal command, a request lost, given twice or out of time order, a request that waited longer than the bound.
std::string fuzz_memory(const std::uint8_t* data, std::size_t size);

}  // namespace memwall::test
