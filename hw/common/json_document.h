// SPDX-License-Identifier: Apache-2.0
// JSON that programs wrote, such as results: a document of plain values, without the places of a configuration.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace memwall {

/// Parses a document. Throws input_error with file and line when it is not JSON, not UTF-8, or lies so deep inside
/// itself that what walks through it would end on the stack.
nlohmann::ordered_json parse_json_document(const std::string& text, const std::string& name,
                                           const std::string& expected);
/// As above, from a file.
nlohmann::ordered_json read_json_document(const std::string& path, const std::string& expected);

}  // namespace memwall
