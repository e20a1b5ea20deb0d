// SPDX-License-Identifier: Apache-2.0
// memwall report: one self-contained page from the results of runs, comparisons and sweeps.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "hw/common/data_dir.h"
#include "hw/common/error.h"
#include "hw/common/json_document.h"
#include "platforms/tell/summary.h"
#include "tools/commands.h"
#include "tools/process/files.h"
#include "tools/report_data.h"
#include "tools/report_served.h"

namespace memwall::tools {
namespace {
namespace fs = std::filesystem;

struct options {
  std::vector<std::string> inputs;
  std::string output = "report.html";
  bool quiet = false;
};

constexpr const char* template_name = "tools/report/template.html";

std::string read_template() {
  const std::string path = data_path(template_name);
  if (path.empty())
    throw input_error(
        problem{"memwall report", "",
                "this build of memwall has no report page: npm was not there, or could not fetch its packages, "
                "when it was built",
                "install nodejs (18 or newer) and npm, then build again with -DMEMWALL_REPORT=ON", ""});
  std::ifstream in(path, std::ios::binary);
  std::stringstream buffer;
  buffer << in.rdbuf();
  return buffer.str();
}

/// What the inputs name: files of results, in the order given, and tables of sweeps.
struct found {
  std::vector<std::string> results, directories, sweeps, services;
};

/// compare.json or rates.json of requests served at several loads; the runs that it names are shown besides.
void look_for_service(const fs::path& dir, found& f) {
  std::error_code ignored;
  for (const char* name : {"compare.json", "rates.json"}) {
    const fs::path file = dir / name;
    if (!fs::exists(file, ignored)) continue;
    const auto root = read_json_document(file.string(), "the compare.json or rates.json of memwall");
    const std::string schema = root.is_object() ? root.value("schema", "") : "";
    if (schema != "memwall-goodput-1" && schema != "memwall-rates-1") continue;
    f.services.push_back(file.string());
    for (const auto& p : root["platforms"])
      if (p.contains("folder") && fs::exists(dir / p["folder"].get<std::string>() / "result.json", ignored)) {
        f.results.push_back((dir / p["folder"].get<std::string>() / "result.json").string());
        f.directories.push_back((dir / p["folder"].get<std::string>()).string());
      }
  }
}

bool look_into(const fs::path& dir, found& f) {
  std::error_code ignored;
  for (const char* table : {"results.csv", "points.csv"})
    if (fs::exists(dir / table, ignored)) {
      f.sweeps.push_back((dir / table).string());
      look_for_service(dir, f);
      return true;
    }
  if (!fs::exists(dir / "result.json", ignored)) return false;
  f.results.push_back((dir / "result.json").string());
  f.directories.push_back(dir.string());
  return true;
}

/// Names in the order of a comparison; empty when there is none.
std::vector<std::string> platforms_compared(const fs::path& file) {
  std::vector<std::string> out;
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return out;
  const auto root = read_json_document(file.string(), "the compare.json of a memwall compare");
  if (!root.is_object() || !root.contains("platforms") || !root["platforms"].is_array()) return out;
  for (const auto& p : root["platforms"])
    if (p.is_object() && p.contains("platform") && p["platform"].is_string()) out.push_back(p["platform"]);
  return out;
}

found find_inputs(const std::vector<std::string>& inputs) {
  found f;
  problem_list problems;
  for (const auto& input : inputs) {
    const fs::path path(input);
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) {
      if (path.extension() == ".csv") {
        f.sweeps.push_back(input);
      } else {
        f.results.push_back(input);
        f.directories.push_back(fs::absolute(path).parent_path().string());
      }
      continue;
    }
    if (!fs::is_directory(path, ignored)) {
      problems.add({input, "", "does not exist", "the --out directory of memwall run, compare or sweep", ""});
      continue;
    }
    if (look_into(path, f)) continue;
    std::vector<fs::path> inside;  // a comparison: one directory a platform
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.is_directory(ignored)) inside.push_back(entry.path());
    // The page compares with its first run: in the order of the comparison, else a von Neumann platform where there is
    // one, then by name.
    const auto order = platforms_compared(path / "compare.json");
    const auto place = [&](const fs::path& p) {
      return std::find(order.begin(), order.end(), p.filename().string()) - order.begin();
    };
    std::sort(inside.begin(), inside.end(), [&](const fs::path& a, const fs::path& b) {
      if (place(a) != place(b)) return place(a) < place(b);
      const bool va = a.filename().string().rfind("von_neumann", 0) == 0,
                 vb = b.filename().string().rfind("von_neumann", 0) == 0;
      return va != vb ? va : a < b;
    });
    bool any = false;
    for (const auto& dir : inside) any = look_into(dir, f) || any;
    if (!any)
      problems.add({input, "", "holds no result.json and no results.csv",
                    "the --out directory of memwall run, compare or sweep", ""});
  }
  problems.check();
  return f;
}

void report(const options& o) {
  const std::string page_template = read_template();
  if (std::error_code none; fs::is_directory(o.output, none))
    throw input_error(problem{"-o", "", "'" + o.output + "' is a folder", "the name of a file", ""});
  const found f = find_inputs(o.inputs);
  problem_list problems;
  std::vector<ordered_json> results;
  for (const auto& file : f.results) try {
      results.push_back(read_result(file));
    } catch (const input_error& e) {
      for (const auto& p : e.problems()) problems.add(p);
    }
  problems.check();

  ordered_json data{{"schema", "memwall-report-1"},
                    {"memwall_version", MEMWALL_VERSION},
                    {"runs", ordered_json::array()},
                    {"services", ordered_json::array()},
                    {"sweeps", ordered_json::array()}};
  if (!results.empty())
    for (const auto& figure : platforms::result_figures())
      data["figures"].push_back({{"path", figure.path}, {"unit", figure.unit}, {"doc", figure.doc}});
  const auto labels = run_labels(results, f.directories);
  const std::size_t rows = report_layer_rows / std::max<std::size_t>(1, results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    data["runs"].push_back(pack_run(std::move(results[i]), labels[i], rows));
    if (auto served = pack_served(f.directories[i]); !served.is_null())
      data["runs"].back()["served"] = std::move(served);
  }
  for (const auto& file : f.services)
    data["services"].push_back(read_json_document(file, "the compare.json or rates.json of memwall"));
  for (const auto& file : f.sweeps) {
    const fs::path dir = fs::absolute(file).lexically_normal().parent_path();
    data["sweeps"].push_back(pack_sweep(file, dir.filename().string()));
    pack_configs(data["sweeps"].back(), (dir / "sweep.sqlite").string());
  }
  const std::string page = fill_page(page_template, data);
  write_whole(o.output, page);
  if (!o.quiet)
    std::cout << o.output << ": " << f.results.size() << (f.results.size() == 1 ? " run, " : " runs, ")
              << f.sweeps.size() << (f.sweeps.size() == 1 ? " sweep, " : " sweeps, ") << (page.size() + 1023) / 1024
              << " KiB\n";
}

}  // namespace

void add_report(CLI::App& app) {
  auto* command = app.add_subcommand("report", "One self-contained page (charts, tables) from results");
  auto o = std::make_shared<options>();
  command->add_option("DIR", o->inputs, "--out directories of run, compare or sweep; or single result.json files")
      ->required();
  command->add_option("-o,--output", o->output, "The page to write")->capture_default_str();
  command->add_flag("--quiet", o->quiet, "Say nothing when all went well");
  command->callback([o] { report(*o); });
}

}  // namespace memwall::tools
