// SPDX-License-Identifier: Apache-2.0
// The configurations of a sweep's points, from its database (tools/sweep/README.md has the tables).
#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <memory>
#include <sstream>

#include "hw/common/error.h"
#include "tools/report_data.h"

namespace memwall::tools {
namespace {

struct closing {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
  void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
};

std::string text(sqlite3_stmt* s, int column) {
  const auto* t = reinterpret_cast<const char*>(sqlite3_column_text(s, column));
  return t == nullptr ? std::string() : std::string(t, static_cast<std::size_t>(sqlite3_column_bytes(s, column)));
}

/// Value of `column` for shown point number `i`, as JSON; null where the point has none.
ordered_json cell(const ordered_json& column, std::size_t i) {
  if (column.contains("constant")) return column["constant"];
  const auto& v = column["values"][i];
  return column.contains("levels") && !v.is_null() ? column["levels"][v.get<std::size_t>()] : v;
}

}  // namespace

void pack_configs(ordered_json& sweep, const std::string& database, std::size_t max_bytes) {
  std::error_code ignored;
  if (!std::filesystem::exists(database, ignored)) return;
  sqlite3* raw = nullptr;
  const bool opened = sqlite3_open_v2(database.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK;
  const std::unique_ptr<sqlite3, closing> db(raw);
  const auto query = [&](const char* sql) {
    sqlite3_stmt* s = nullptr;
    if (!opened || sqlite3_prepare_v2(db.get(), sql, -1, &s, nullptr) != SQLITE_OK) s = nullptr;
    return std::unique_ptr<sqlite3_stmt, closing>(s);
  };
  const auto check = query("PRAGMA quick_check(1)");
  if (!check || sqlite3_step(check.get()) != SQLITE_ROW || text(check.get(), 0) != "ok")
    throw input_error(problem{database, "", "is damaged, or is no database",
                              "the database of a sweep (memwall sweep ... --collect makes it anew), or none", ""});
  // What the sweep file calls itself, and what it is after.
  if (const auto meta = query("SELECT value FROM meta WHERE key = ?1")) {
    const auto value = [&](const char* key) {
      sqlite3_reset(meta.get());
      sqlite3_bind_text(meta.get(), 1, key, -1, SQLITE_STATIC);
      return sqlite3_step(meta.get()) == SQLITE_ROW ? text(meta.get(), 0) : std::string();
    };
    if (const std::string name = value("name"); !name.empty()) sweep["label"] = name;
    std::istringstream keys(value("objectives"));
    for (std::string key; std::getline(keys, key, ',');) sweep["objectives"].push_back(key);
  }
  const ordered_json* numbers = nullptr;
  for (const auto& c : sweep["columns"])
    if (c["name"] == "point") numbers = &c;
  if (numbers == nullptr) return;
  const auto all = query("SELECT config, json FROM configs ORDER BY config");
  const auto one = query("SELECT config, config_patch FROM points WHERE point = ?1");
  if (!all || !one) return;

  ordered_json whole = ordered_json::array(), patches = ordered_json::array(), of = ordered_json::array(),
               patch = ordered_json::array();
  std::map<long long, std::size_t> place;
  std::map<std::string, std::size_t> patch_place;
  std::size_t bytes = 0;
  while (sqlite3_step(all.get()) == SQLITE_ROW) {
    const std::string json = text(all.get(), 1);
    auto parsed = ordered_json::parse(json, nullptr, false);
    if ((bytes += json.size()) > max_bytes || parsed.is_discarded()) return;
    place[sqlite3_column_int64(all.get(), 0)] = whole.size();
    whole.push_back(std::move(parsed));
  }
  const auto shown = sweep["shown"].get<std::size_t>();
  for (std::size_t i = 0; i < shown; ++i) {
    const auto number = cell(*numbers, i);
    sqlite3_reset(one.get());
    sqlite3_bind_int64(one.get(), 1, number.is_number() ? number.get<long long>() : -1);
    if (sqlite3_step(one.get()) != SQLITE_ROW || sqlite3_column_type(one.get(), 0) == SQLITE_NULL) {
      of.push_back(nullptr);
      patch.push_back(nullptr);
      continue;
    }
    const auto base = place.find(sqlite3_column_int64(one.get(), 0));
    of.push_back(base == place.end() ? ordered_json() : ordered_json(base->second));
    const std::string change = text(one.get(), 1);
    if (change.empty()) {
      patch.push_back(nullptr);
      continue;
    }
    const auto [it, added] = patch_place.try_emplace(change, patches.size());
    if (added) {
      auto parsed = ordered_json::parse(change, nullptr, false);
      if ((bytes += change.size()) > max_bytes || parsed.is_discarded()) return;
      patches.push_back(std::move(parsed));
    }
    patch.push_back(it->second);
    if ((bytes += 8) > max_bytes) return;
  }
  sweep["configs"] = {
      {"whole", std::move(whole)}, {"patches", std::move(patches)}, {"of", std::move(of)}, {"patch", std::move(patch)}};
}

}  // namespace memwall::tools
