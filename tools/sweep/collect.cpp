// SPDX-License-Identifier: Apache-2.0
#include "tools/sweep/collect.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "hw/common/error.h"
#include "hw/common/io_error.h"
#include "tools/process/files.h"
#include "tools/sweep/csv_table.h"
#include "tools/sweep/digest.h"

namespace memwall::sweep {
namespace {

using json = nlohmann::ordered_json;

/// What a failure of the database says of the disk is not a bug.
[[noreturn]] void database_failed(sqlite3* db, const std::string& what) {
  const std::string text = what + ": " + sqlite3_errmsg(db);
  switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw io_error(text);
    default:
      throw std::runtime_error(text);
  }
}

class statement {
 public:
  statement(sqlite3* db, const std::string& sql) : m_db(db) {
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &m_handle, nullptr) != SQLITE_OK) fail();
  }
  ~statement() { sqlite3_finalize(m_handle); }
  statement(const statement&) = delete;
  statement& operator=(const statement&) = delete;

  void bind(int at, const json& v) {
    if (v.is_null())
      check(sqlite3_bind_null(m_handle, at));
    else if (v.is_boolean())
      check(sqlite3_bind_int(m_handle, at, v.get<bool>() ? 1 : 0));
    else if (v.is_number_integer())
      check(sqlite3_bind_int64(m_handle, at, v.get<std::int64_t>()));
    else if (v.is_number())
      check(sqlite3_bind_double(m_handle, at, v.get<double>()));
    else
      bind(at, v.is_string() ? v.get_ref<const std::string&>() : v.dump());
  }
  void bind(int at, const std::string& text) {
    check(sqlite3_bind_text(m_handle, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT));
  }
  void bind(int at, const char* text) { bind(at, std::string(text)); }
  /// True while there is a row.
  bool step() {
    const int code = sqlite3_step(m_handle);
    if (code != SQLITE_ROW && code != SQLITE_DONE) fail();
    return code == SQLITE_ROW;
  }
  void run() {
    step();
    sqlite3_reset(m_handle);
    sqlite3_clear_bindings(m_handle);
  }
  sqlite3_stmt* handle() const { return m_handle; }

 private:
  void check(int code) {
    if (code != SQLITE_OK) fail();
  }
  [[noreturn]] void fail() { database_failed(m_db, "sweep.sqlite"); }
  sqlite3* m_db;
  sqlite3_stmt* m_handle = nullptr;
};

class database {
 public:
  explicit database(const std::string& path) {
    if (sqlite3_open(path.c_str(), &m_db) != SQLITE_OK) database_failed(m_db, path + ": cannot be written");
  }
  ~database() { sqlite3_close(m_db); }
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  void run(const std::string& sql) {
    if (sqlite3_exec(m_db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) database_failed(m_db, "sweep.sqlite");
  }
  sqlite3* handle() const { return m_db; }

 private:
  sqlite3* m_db = nullptr;
};

std::string column_name(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

bool has_null(const json& j) {
  if (j.is_null()) return true;
  if (j.is_object() || j.is_array())
    for (const auto& v : j)
      if (has_null(v)) return true;
  return false;
}

/// RFC 7396: what turns `from` into `to`. SQLite's json_patch() undoes it. Only for trees without nulls.
json merge_patch(const json& from, const json& to) {
  json out = json::object();
  for (const auto& [key, unused] : from.items())
    if (!to.contains(key)) out[key] = nullptr;
  for (const auto& [key, v] : to.items()) {
    const auto before = from.find(key);
    if (before == from.end())
      out[key] = v;
    else if (*before != v)
      out[key] = before->is_object() && v.is_object() ? merge_patch(*before, v) : v;
  }
  return out;
}

constexpr const char* tables = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE axes(axis INTEGER PRIMARY KEY, path TEXT NOT NULL, column_name TEXT NOT NULL);
CREATE TABLE configs(config INTEGER PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE points(point INTEGER PRIMARY KEY, key TEXT NOT NULL, status TEXT NOT NULL, exit_code INTEGER, message TEXT,
  command TEXT NOT NULL, platform TEXT, model TEXT, workload TEXT, fidelity TEXT, seed INTEGER, memwall_version TEXT,
  config INTEGER REFERENCES configs(config), config_patch TEXT);
CREATE TABLE results(point INTEGER PRIMARY KEY, status TEXT NOT NULL, platform TEXT, model TEXT);
CREATE TABLE stalls(point INTEGER NOT NULL, cause TEXT NOT NULL, ns REAL, PRIMARY KEY(point, cause)) WITHOUT ROWID;
CREATE VIEW point_configs AS SELECT point,
  CASE WHEN config_patch IS NULL THEN json ELSE json_patch(json, config_patch) END
  AS config FROM points JOIN configs USING(config);
)";

class writer {
 public:
  writer(const plan& points, database& db) : m_plan(points), m_db(db) {
    db.run("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE; BEGIN;");
    db.run(tables);
    for (std::size_t a = 0; a < points.columns().size(); ++a) {
      statement s(db.handle(), "INSERT INTO axes VALUES(?1, ?2, ?3)");
      s.bind(1, json(a));
      s.bind(2, points.columns()[a]);
      s.bind(3, "axis." + points.columns()[a]);
      s.run();
      column("axis." + points.columns()[a]);
    }
    m_insert_point = std::make_unique<statement>(
        db.handle(), "INSERT INTO points VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)");
    m_insert_stall = std::make_unique<statement>(db.handle(), "INSERT INTO stalls VALUES(?1,?2,?3)");
  }

  const std::string& add(std::size_t number, const record_store& records) {
    const point p = m_plan.at(number);
    const auto record = records.load(p.key);
    const json empty = json::object();
    const json& result = record && record->contains("result") ? (*record)["result"] : empty;
    m_status = record ? record->value("status", "crashed") : "pending";
    const auto field = [](const json& from, const char* name) { return from.contains(name) ? from[name] : json(); };

    auto& s = *m_insert_point;
    s.bind(1, json(number));
    s.bind(2, p.key);
    s.bind(3, m_status);
    s.bind(4, record ? field(*record, "exit_code") : json());
    s.bind(5, record ? field(*record, "message") : json());
    s.bind(6, shell_command(p.arguments));
    s.bind(7, given(p, "platform", result));
    s.bind(8, given(p, "model", result));
    s.bind(9, field(result, "workload"));
    s.bind(10, field(result, "fidelity"));
    s.bind(11, field(result, "seed"));
    s.bind(12, result.contains("memwall_version") ? result["memwall_version"] : json(m_plan.program().version));
    bind_config(s, result);
    s.run();

    add_row(number, p, result);
    if (result.contains("stall_stack_ns") && result["stall_stack_ns"].is_object())
      for (const auto& [cause, ns] : result["stall_stack_ns"].items()) {
        m_insert_stall->bind(1, json(number));
        m_insert_stall->bind(2, cause);
        m_insert_stall->bind(3, ns);
        m_insert_stall->run();
      }
    return m_status;
  }

  void finish(const std::map<std::string, std::string>& meta) {
    m_insert_row.reset();
    m_insert_point.reset();
    m_insert_stall.reset();
    statement s(m_db.handle(), "INSERT INTO meta VALUES(?1, ?2)");
    for (const auto& [key, v] : meta) {
      s.bind(1, key);
      s.bind(2, v);
      s.run();
    }
    m_db.run("COMMIT;");
  }

  const std::vector<std::string>& columns() const { return m_columns; }

 private:
  /// Number of the results column of that name, made on first sight: the order follows the points, so it is
  /// always the same.
  int column(const std::string& name) {
    const auto [found, is_new] = m_column_at.try_emplace(name, static_cast<int>(m_columns.size()));
    if (is_new) {
      m_insert_row.reset();
      m_db.run("ALTER TABLE results ADD COLUMN " + column_name(name) + ";");
      m_columns.push_back(name);
    }
    return found->second;
  }

  static json given(const point& p, const std::string& what, const json& result) {
    for (std::size_t i = 1; i + 1 < p.arguments.size(); i += 2)
      if (p.arguments[i] == "--" + what) return std::filesystem::path(p.arguments[i + 1]).filename().string();
    return result.contains(what) ? result[what] : json();
  }

  void bind_config(statement& s, const json& result) {
    if (!result.contains("config")) return;
    const json& config = result["config"];
    // Points of one platform differ in little: the first one's configuration is kept whole, the others as
    // patches to it.
    const std::string family = result.contains("platform") ? result["platform"].dump() : "";
    auto base = m_bases.find(family);
    const bool whole = base == m_bases.end() || has_null(config) || !config.is_object();
    if (whole) {
      ++m_configs;
      statement insert(m_db.handle(), "INSERT INTO configs VALUES(?1, ?2)");
      insert.bind(1, json(m_configs));
      insert.bind(2, config.dump());
      insert.run();
      s.bind(13, json(m_configs));
      if (base == m_bases.end() && !has_null(config) && config.is_object())
        m_bases.emplace(family, std::pair(m_configs, config));
      return;
    }
    s.bind(13, json(base->second.first));
    const json patch = merge_patch(base->second.second, config);
    if (!patch.empty()) s.bind(14, patch.dump());
  }

  void add_row(std::size_t number, const point& p, const json& result) {
    const json empty = json::object();
    const json& summary = result.contains("summary") ? result["summary"] : empty;
    std::vector<std::pair<int, json>> cells;
    for (std::size_t a = 0; a < p.values.size(); ++a) {
      if (!p.values[a]) continue;
      cells.emplace_back(static_cast<int>(a), cell(*p.values[a]));
    }
    for (const auto& [key, v] : summary.items())
      if (!v.is_structured()) cells.emplace_back(column("summary." + key), v);
    if (!m_insert_row) {
      std::string names, marks;
      for (std::size_t c = 0; c < m_columns.size(); ++c) {
        names += ", " + column_name(m_columns[c]);
        marks += fmt::format(",?{}", c + 5);
      }
      m_insert_row = std::make_unique<statement>(m_db.handle(), "INSERT INTO results(point, status, platform, model" +
                                                                    names + ") VALUES(?1,?2,?3,?4" + marks + ")");
    }
    m_insert_row->bind(1, json(number));
    m_insert_row->bind(2, m_status);
    m_insert_row->bind(3, given(p, "platform", result));
    m_insert_row->bind(4, given(p, "model", result));
    for (const auto& [at, v] : cells) m_insert_row->bind(at + 5, v);
    m_insert_row->run();
  }

  /// Plain numbers become numbers, so that queries can compare them; quantities stay as they were written.
  static json cell(const std::string& text) {
    const json parsed = json::parse(text, nullptr, false);
    return parsed.is_number() ? parsed : json(text);
  }

  const plan& m_plan;
  database& m_db;
  std::vector<std::string> m_columns;
  std::map<std::string, int> m_column_at;
  std::map<std::string, std::pair<std::int64_t, json>> m_bases;
  std::int64_t m_configs = 0;
  std::string m_status;
  std::unique_ptr<statement> m_insert_point, m_insert_row, m_insert_stall;
};

/// RFC 4180, but lines end in \n. Numbers with the shortest digits that read back to the same value.
void write_csv(database& db, const std::vector<std::string>& columns, const std::string& path) {
  tools::output_file file(path);
  std::ostream& out = file.stream();
  std::string names = "point,status", sql = "SELECT r.point, r.status";
  for (const auto& c : columns) {
    names += "," + one_line_cell(c);
    sql += ", r." + column_name(c);
  }
  for (const char* c : {"platform", "model", "seed", "memwall_version", "exit_code", "message", "key", "command"}) {
    names += std::string(",") + c;
    sql += std::string(", p.") + c;
  }
  std::string line = names + "\n";
  statement s(db.handle(), sql + " FROM results r JOIN points p USING(point) ORDER BY r.point");
  while (true) {
    out.write(line.data(), static_cast<std::streamsize>(line.size()));
    if (!s.step()) break;
    line.clear();
    for (int c = 0; c < sqlite3_column_count(s.handle()); ++c) {
      if (c != 0) line += ',';
      switch (sqlite3_column_type(s.handle(), c)) {
        case SQLITE_NULL:
          break;
        case SQLITE_INTEGER:
          line += fmt::format("{}", static_cast<std::int64_t>(sqlite3_column_int64(s.handle(), c)));
          break;
        case SQLITE_FLOAT:
          line += fmt::format("{}", sqlite3_column_double(s.handle(), c));
          break;
        default:
          line += one_line_cell(reinterpret_cast<const char*>(sqlite3_column_text(s.handle(), c)));
      }
    }
    line += '\n';
  }
  file.finish();
}

}  // namespace

std::string shell_command(const std::vector<std::string>& arguments) {
  std::string out = "memwall";
  for (const auto& a : arguments) {
    const bool plain = !a.empty() && a.find_first_not_of(
                                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789_-+=./:,@%") == std::string::npos;
    out += ' ';
    if (plain) {
      out += a;
      continue;
    }
    out += '\'';
    for (const char c : a) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    out += '\'';
  }
  return out;
}

std::vector<failure> failures_in(const std::string& directory, std::size_t most) {
  database db(directory + "/sweep.sqlite");
  statement s(db.handle(),
              "SELECT status, CASE instr(message, char(10)) WHEN 0 THEN message ELSE substr(message, 1, instr(message, "
              "char(10)) - 1) END AS said, count(*) AS n FROM points WHERE message IS NOT NULL GROUP BY status, said "
              "ORDER BY n DESC, status, said LIMIT ?1");
  s.bind(1, json(most));
  std::vector<failure> out;
  const auto text = [&](int column) {
    const auto* t = reinterpret_cast<const char*>(sqlite3_column_text(s.handle(), column));
    return std::string(t != nullptr ? t : "");
  };
  while (s.step()) out.push_back({text(0), text(1), static_cast<std::size_t>(sqlite3_column_int64(s.handle(), 2))});
  return out;
}

status_counts collect(const plan& points, const record_store& records, const std::string& directory,
                      const std::vector<std::size_t>* chosen) {
  namespace fs = std::filesystem;
  const std::string sqlite = directory + "/sweep.sqlite", csv = directory + "/results.csv";
  fs::create_directories(directory);
  status_counts counts;
  tools::temporary_name part(sqlite + ".tmp");
  {
    database db(part.path());
    writer w(points, db);
    const std::size_t total = chosen != nullptr ? chosen->size() : points.size();
    for (std::size_t i = 0; i < total; ++i) ++counts[w.add(chosen != nullptr ? (*chosen)[i] : i, records)];
    std::string objectives;
    for (const auto& o : points.sweep().objectives) objectives += (objectives.empty() ? "" : ",") + o;
    w.finish({{"schema_version", std::to_string(schema_version)},
              {"name", points.sweep().name},
              {"description", points.sweep().description},
              {"memwall_version", points.program().version},
              {"program_digest", points.program().digest},
              {"points", std::to_string(points.size())},
              {"objectives", objectives},
              {"sweep_file", points.sweep().text}});
    write_csv(db, w.columns(), csv);
  }
  fs::rename(part.path(), sqlite);
  part.release();
  return counts;
}

}  // namespace memwall::sweep
