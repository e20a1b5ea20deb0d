// SPDX-License-Identifier: Apache-2.0
// Requests from a specification: `poisson:rate=8,n=1000,input=512,output=128`. See traces/serving/README.md.
#pragma once
#include <string>
#include <vector>

#include "traces/serving/request.h"

namespace memwall::serving {

/// Whether a text names an arrival process (`poisson:...`), and not a file.
bool is_spec(const std::string& text);
/// Makes the requests. The same text and seed give the same requests on every machine. Throws input_error with every
/// problem found.
request_list from_spec(const std::string& text, std::uint64_t seed);
std::vector<std::string> arrival_processes();

}  // namespace memwall::serving
