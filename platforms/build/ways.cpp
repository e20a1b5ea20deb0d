// SPDX-License-Identifier: Apache-2.0
#include "platforms/build/ways.h"

#include <algorithm>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/filtered_graph.hpp>
#include <functional>

namespace memwall::platforms {

ways::ways(const std::vector<connection>& connections) {
  for (const auto& c : connections) boost::add_edge(of(c.from), of(c.to), m_graph);
  m_passed.assign(boost::num_vertices(m_graph), false);
}

ways::vertex ways::of(const std::string& module) {
  const auto [at, is_new] = m_vertices.try_emplace(module, 0);
  if (is_new) at->second = boost::add_vertex(module, m_graph);
  return at->second;
}

void ways::pass_through(const std::string& module) {
  if (const auto at = m_vertices.find(module); at != m_vertices.end()) m_passed[at->second] = true, m_found.clear();
}

const std::vector<std::string>& ways::way(const std::string& from, const std::string& to) const {
  const auto [at, is_new] = m_found.try_emplace({from, to});
  if (is_new) at->second = search(from, to);
  return at->second;
}

std::vector<std::string> ways::search(const std::string& from, const std::string& to) const {
  const auto begin = m_vertices.find(from), end = m_vertices.find(to);
  if (begin == m_vertices.end() || end == m_vertices.end() || begin == end) return {};
  const vertex start = begin->second;
  const std::function<bool(const graph::edge_descriptor&)> leads_on = [&](const graph::edge_descriptor& e) {
    const vertex at = boost::source(e, m_graph);
    return at == start || m_passed[at];
  };
  const boost::filtered_graph<graph, std::function<bool(const graph::edge_descriptor&)>> open(m_graph, leads_on);
  std::vector<vertex> before(boost::num_vertices(m_graph), graph::null_vertex());
  boost::breadth_first_search(
      open, start,
      boost::visitor(boost::make_bfs_visitor(boost::record_predecessors(before.data(), boost::on_tree_edge()))));
  std::vector<std::string> out;
  for (vertex at = end->second; at != start; at = before[at]) {
    if (at == graph::null_vertex()) return {};
    out.push_back(m_graph[at]);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace memwall::platforms
