// SPDX-License-Identifier: Apache-2.0
// What `memwall report` embeds in its page: results packed so that a page with thousands of operators stays
// small. The shape is described in tools/report/README.md; the page's side is tools/report/src/data.js.
#pragma once
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace memwall::tools {

using ordered_json = nlohmann::ordered_json;

/// Rows of the operator table that a page carries over all its runs; some 180 bytes each.
constexpr std::size_t report_layer_rows = 9000;

/// One run for the page: {label, result (without layers), layers (packed), by_kind}. Operators beyond `rows`
/// are left out, shortest first, and the page says so; `by_kind` always counts all of them. A result without
/// layers is fine.
ordered_json pack_run(ordered_json result, const std::string& label, std::size_t rows = report_layer_rows);

/// The page: `page_template` with `data` at its placeholder. Safe inside a <script> element whatever strings
/// `data` holds. Throws std::runtime_error when the template has no placeholder.
std::string fill_page(std::string_view page_template, const ordered_json& data);

/// Reads a result.json. Throws input_error (file:line, what is wrong) when it is not one.
ordered_json read_result(const std::string& file);

/// Names for runs in a page: the platform, then model or directory where platforms repeat; all different.
std::vector<std::string> run_labels(const std::vector<ordered_json>& results,
                                    const std::vector<std::string>& directories);

/// Points of a sweep that a page carries; beyond it they are sampled evenly, and the page says so.
constexpr std::size_t report_sweep_rows = 100000;

/// Beyond this many points the numbers of a page have six significant digits; results.csv has all.
constexpr std::size_t exact_sweep_rows = 20000;

/// A sweep for the page from its results.csv, in bounded memory: {label, points, shown, digits, statuses{},
/// columns[]: {name, constant} or {name, numeric?, levels?, values}}; with levels, values are indices into
/// them. Points are sampled evenly until at most `rows` are left and the data take at most `max_bytes`.
/// Throws input_error when the file is not a table.
ordered_json pack_sweep(const std::string& csv_file, const std::string& label, std::size_t rows = report_sweep_rows,
                        std::size_t max_bytes = 17'000'000);

/// Adds the points' resolved configurations from the sweep's database to a packed sweep: configs{whole[], patches[],
/// of[], patch[]}: a point's is whole[of] with the merge patch (RFC 7396) patches[patch], if any. Left out when it
/// would take more than `max_bytes`, or when the database is not there. Throws input_error when it is damaged.
void pack_configs(ordered_json& sweep, const std::string& database, std::size_t max_bytes = 1'500'000);

}  // namespace memwall::tools
