// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>

namespace memwall {

/// The SystemC that runs here, e.g. "2.3.4". For those who must not see its headers.
std::string systemc_version();

}  // namespace memwall
