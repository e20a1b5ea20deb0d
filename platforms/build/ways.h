// SPDX-License-Identifier: Apache-2.0
// The connections of a platform as a graph: ways from modules to memories through buses and links.
#pragma once
#include <boost/graph/adjacency_list.hpp>
#include <map>
#include <string>
#include <vector>

#include "platforms/describe/description.h"

namespace memwall::platforms {

class ways {
 public:
  explicit ways(const std::vector<connection>& connections);

  /// Only what is a bus or a link is passed through; said once all modules are there.
  void pass_through(const std::string& module);
  /// The modules after `from` on the shortest way to `to`, which is the last; of ways alike, the one whose connections
  /// come first in the file. Empty: there is none.
  const std::vector<std::string>& way(const std::string& from, const std::string& to) const;

 private:
  using graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, std::string>;  // a vertex is a module
  using vertex = boost::graph_traits<graph>::vertex_descriptor;
  vertex of(const std::string& module);
  std::vector<std::string> search(const std::string& from, const std::string& to) const;

  graph m_graph;
  std::map<std::string, vertex> m_vertices;
  std::vector<bool> m_passed;  // by vertex
  mutable std::map<std::pair<std::string, std::string>, std::vector<std::string>>
      m_found;  // cores ask at each operator
};

}  // namespace memwall::platforms
