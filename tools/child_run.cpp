// SPDX-License-Identifier: Apache-2.0
#include "tools/child_run.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "hw/common/error.h"

namespace memwall::tools {
namespace {

using json = nlohmann::ordered_json;

json outcome_of(const std::function<json()>& f) {
  try {
    return {{"result", f()}};
  } catch (const input_error& e) {
    auto list = json::array();
    for (const auto& p : e.problems()) list.push_back({p.where, p.key, p.message, p.expected, p.nearest});
    return {{"problems", list}};
  } catch (const capacity_error& e) {
    return {{"does_not_fit", e.what()}};
  } catch (const std::exception& e) {
    return {{"failed", e.what()}};
  }
}

}  // namespace

json in_child(const std::function<json()>& f) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe to a child process");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no child process");
  if (child == 0) {
    close(ends[0]);
    const std::string text = outcome_of(f).dump();
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t n = write(ends[1], text.data() + done, text.size() - done);
      if (n < 0 && errno != EINTR) break;
      if (n > 0) done += static_cast<std::size_t>(n);
    }
    _exit(done == text.size() ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  char part[65536];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) != 0;) {
    if (n < 0 && errno != EINTR) break;
    if (n > 0) text.append(part, static_cast<std::size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const json outcome = json::parse(text, nullptr, false);
  if (outcome.is_discarded()) throw std::runtime_error("a simulation ended without a result");
  if (outcome.contains("problems")) {
    std::vector<problem> problems;
    for (const auto& p : outcome["problems"]) problems.push_back({p[0], p[1], p[2], p[3], p[4]});
    throw input_error(problems);
  }
  if (outcome.contains("does_not_fit")) throw capacity_error(outcome["does_not_fit"].get<std::string>());
  if (outcome.contains("failed")) throw std::runtime_error(outcome["failed"].get<std::string>());
  return outcome.at("result");
}

}  // namespace memwall::tools
