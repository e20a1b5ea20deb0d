// SPDX-License-Identifier: Apache-2.0
// Takes `run --platform P --model M --batch N ... --set a.b=c --out DIR` and writes DIR/result.json from a
// formula:
//   time_ns = 1e6 * batch / bandwidth + 1000 * latency      energy_pj = batch * 5 + bandwidth * 3
// with --set fake.bandwidth=, fake.latency= (defaults 1, 0). Behaviour:
//   --set fake.sleep_ms=N   --set fake.spin_ms=N   --set fake.exit=CODE   --set fake.signal=N   --set
//   fake.eat_mb=N
//   --set fake.torn=1 (half a result)   and, when FAKE_RUN_LOG is set, one line a start is appended to that
//   file; with --set fake.listen=1 one more when it is asked to end (SIGTERM), which it does not do.
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

double number(const std::map<std::string, std::string>& m, const std::string& key, double otherwise) {
  const auto found = m.find(key);
  return found == m.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
}

int log_file = -1;
void asked_to_end(int) {
  constexpr char line[] = "asked to end\n";
  if (::write(log_file, line, sizeof line - 1) < 0) std::_Exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options, set;
  std::string all;
  for (int i = 2; i < argc; ++i) {
    std::string key = argv[i];
    if (key == "--json" || key == "--quiet") continue;
    key = key.substr(2);
    const std::string text = i + 1 < argc ? argv[++i] : "";
    if (key != "out") all += key + "=" + text + " ";
    if (key == "set")
      set[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    else
      options[key] = text;
  }
  if (const char* log = std::getenv("FAKE_RUN_LOG")) {
    log_file = ::open(log, O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (number(set, "fake.listen", 0) != 0) std::signal(SIGTERM, asked_to_end);
    const std::string line = all + "\n";
    if (log_file < 0 || ::write(log_file, line.data(), line.size()) < 0) return 1;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(static_cast<int>(number(set, "fake.sleep_ms", 0))));
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(static_cast<int>(number(set, "fake.spin_ms", 0)));
  while (std::chrono::steady_clock::now() < until) {
  }
  if (const auto mb = static_cast<std::size_t>(number(set, "fake.eat_mb", 0))) {
    const std::vector<char> eaten(mb << 20, 1);
    if (eaten[eaten.size() / 2] != 1) return 1;
  }
  if (const int signal = static_cast<int>(number(set, "fake.signal", 0))) std::raise(signal);
  const int code = static_cast<int>(number(set, "fake.exit", 0));
  if (code != 0) {
    std::fprintf(stderr, "memwall: the fake ends with %d, writing to %s\n", code, options["out"].c_str());
    return code;
  }
  const double batch = number(options, "batch", 1), bandwidth = number(set, "fake.bandwidth", 1);
  const double time = 1e6 * batch / bandwidth + 1000 * number(set, "fake.latency", 0);
  ::mkdir(options["out"].c_str(), 0777);
  std::FILE* f = std::fopen((options["out"] + "/result.json").c_str(), "w");
  if (f == nullptr) return 1;
  std::fprintf(f,
               "{\"schema\": 1, \"memwall_version\": \"0.0\", \"platform\": \"%s\", \"model\": \"%s\", "
               "\"workload\": {\"batch\": %g},\n",
               options["platform"].c_str(), options["model"].c_str(), batch);
  if (set.count("fake.torn") == 0) {
    std::fprintf(f,
                 " \"seed\": 1, \"config\": {\"fake\": {\"bandwidth\": %g, \"channels\": [1, 2]}, \"fixed\": "
                 "\"yes\"},\n",
                 bandwidth);
    std::fprintf(f, " \"summary\": {\"time_ns\": %.17g, \"energy_pj\": %.17g, \"bound_by\": \"%s\"},\n", time,
                 batch * 5 + bandwidth * 3, bandwidth < 4 ? "memory" : "compute");
    std::fprintf(f, " \"stall_stack_ns\": {\"compute\": %.17g, \"dram\": %.17g},\n", time / 4, time * 3 / 4);
    std::fprintf(f, " \"layers\": [{\"name\": \"a\"}, {\"name\": \"b\"}], \"host\": {\"wall_s\": %d}}\n",
                 static_cast<int>(::getpid()));
  }
  return std::fclose(f) == 0 ? 0 : 1;
}
