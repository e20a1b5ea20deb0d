// SPDX-License-Identifier: Apache-2.0
// The points of memwall infer --sweep as a table and as one page.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace memwall::tools {

/// `sweep`: what run_infer_sweep found (schema memwall-infer-sweep-1).
std::string infer_csv(const nlohmann::ordered_json& sweep);
/// Self-contained: tables, and perplexity against time and energy with the front.
std::string infer_page(const nlohmann::ordered_json& sweep);

}  // namespace memwall::tools
