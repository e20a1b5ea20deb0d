// SPDX-License-Identifier: Apache-2.0
// Requests from files. Each kind of file is one importer in traces/serving/importers/, told by its first line.
#pragma once
#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "hw/common/registry.h"
#include "traces/serving/request.h"

namespace memwall::serving {

struct request_importer {
  /// Whether a file that starts with this line is one of its kind.
  std::function<bool(const std::string& first_line)> knows;
  /// Reads all of it. The first request arrives at 0, the others as much later as the file says.
  std::function<request_list(std::istream& in, const std::string& path)> read;
};

registry<request_importer>& request_importers();

using request_importer_entry = registered<&request_importers>;

/// Reads a file of any known kind. Throws input_error with every problem (file and line): broken lines, arrivals that
/// are negative or run backwards, prompts or outputs without tokens, nothing in it.
request_list read_requests(const std::string& path);

/// A specification or a file.
request_list open_requests(const std::string& spec_or_file, std::uint64_t seed);

// What importers share.

/// Cells of a line of CSV; quotes as in RFC 4180. `where` stands for the file in messages.
std::vector<std::string> csv_cells(const std::string& line, const std::string& where);
/// The next line without its end and, where it is the first, without a byte order mark.
bool next_line(std::istream& in, std::string& line, std::int64_t& number);
/// Adds a request with the range checks that every kind of file needs. `arrival_s`: seconds.
class request_collector {
 public:
  request_collector(std::string path, request_list& out) : m_path(std::move(path)), m_out(out) {}
  std::string where(std::int64_t line) const { return m_path + ":" + std::to_string(line); }
  problem_list& problems() { return m_problems; }
  double seconds(std::int64_t line, const std::string& key, const std::string& text);
  std::int64_t tokens(std::int64_t line, const std::string& key, const std::string& text);
  void add(request r, std::int64_t line, double arrival_s);
  /// Throws what was found.
  void finish();

 private:
  static constexpr std::size_t most_problems = 20;  // a broken file would print one for each line
  void problem(std::int64_t line, const std::string& key, const std::string& message, const std::string& expected);
  std::string m_path;
  request_list& m_out;
  problem_list m_problems;
  std::size_t m_found = 0;
  double m_first = 0, m_last = 0;
  bool m_any = false;
};

}  // namespace memwall::serving
