// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace memwall {

/// One defect in what the user gave us, in the words the user needs to mend it.
struct problem {
  std::string where;     ///< "file:line", or the option it came from ("--set"); may be empty
  std::string key;       ///< dotted path of the key or field at fault; may be empty
  std::string message;   ///< what is wrong; includes what we got
  std::string expected;  ///< what would have been right; may be empty
  std::string nearest;   ///< nearest valid name, when a name was wrong; may be empty

  /// "platform.yaml:12: hbm.chanels: unknown key (expected ...; did you mean 'channels'?)"
  std::string text() const;
};

/// Bad input: exit code 2. Carries every problem found, so that the user can mend all of them at once.
class input_error : public std::runtime_error {
 public:
  explicit input_error(std::vector<problem> problems);
  explicit input_error(problem p) : input_error(std::vector<problem>{std::move(p)}) {}
  const std::vector<problem>& problems() const { return m_problems; }

 private:
  std::vector<problem> m_problems;
};

/// The workload does not fit the platform's memories: exit code 3.
class capacity_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Collects problems while reading, so that all of them are reported together.
class problem_list {
 public:
  void add(problem p) { m_problems.push_back(std::move(p)); }
  void add(const problem_list& others) {
    m_problems.insert(m_problems.end(), others.m_problems.begin(), others.m_problems.end());
  }
  bool empty() const { return m_problems.empty(); }
  /// Throws input_error if anything was added.
  void check() const {
    if (!m_problems.empty()) throw input_error(m_problems);
  }

 private:
  std::vector<problem> m_problems;
};

/// The candidate with the smallest edit distance to `name`, or "" when none is near (distance > a third of its length +
/// 1).
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// "a, b, c", as messages list names.
template <class Names>
std::string joined(const Names& names) {
  std::string out;
  for (const auto& name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

}  // namespace memwall
