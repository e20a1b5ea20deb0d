// SPDX-License-Identifier: Apache-2.0
// Signals, full disks and folders in use: what the program leaves behind, and what it says with its exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tools/process/child.h"
#include "tools/process/files.h"

namespace {
using namespace memwall::tools;
using memwall::test::memwall;
using memwall::test::temp_dir;
using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string mini = std::string(MEMWALL_SOURCE_DIR) + "/tests/platforms/data/mini";
const std::string small = "--platform cim_sram --model " + mini + " --context 64 --quiet";
const std::string served = "--platform cim_sram --model gpt-2 --requests constant:rate=100,n=20,input=16,output=8";
// Every cache line a transfer of its own, of a batch of long contexts: minutes.
const std::vector<std::string> endless = {"--model",  "gpt-2", "--batch",          "64",   "--context", "512",
                                          "--tokens", "8",     "--transfer-bytes", "burst"};

std::vector<std::string> words(std::vector<std::string> first, const std::vector<std::string>& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

class started {
 public:
  explicit started(const std::vector<std::string>& arguments, const std::string& errors = "/dev/null",
                   const std::string& program = std::string(MEMWALL_BINARY_DIR) + "/bin/memwall") {
    child_setup setup;
    setup.program = program;
    setup.arguments = arguments;
    setup.error_file = errors;
    m_pid = start_child(setup);
  }
  ~started() {
    if (!m_end) kill_child(m_pid);
  }
  void send(int signal) { ::kill(m_pid, signal); }
  /// Its end, or nothing when it has not ended after so long.
  std::optional<child_end> end_within(double seconds) {
    const auto until = steady::now() + std::chrono::duration<double>(seconds);
    while (!m_end && steady::now() < until) {
      m_end = reap_child(m_pid);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return m_end;
  }
  pid_t pid() const { return m_pid; }

 private:
  pid_t m_pid;
  std::optional<child_end> m_end;
};

void wait_for(const std::string& path) {
  for (int i = 0; i < 4000 && !fs::exists(path); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_TRUE(fs::exists(path)) << path;
}

std::vector<std::string> parts_in(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& e : fs::recursive_directory_iterator(folder))
    if (e.path().extension() == ".part") out.push_back(e.path());
  return out;
}

/// Processes of this machine that have `text` in their command line.
std::vector<pid_t> those_with(const std::string& text) {
  std::vector<pid_t> out;
  std::error_code ignored;
  for (const auto& e : fs::directory_iterator("/proc", ignored)) {
    const auto line = read_text(e.path().string() + "/cmdline");
    if (line && line->find(text) != std::string::npos) out.push_back(std::stoi(e.path().filename()));
  }
  return out;
}
int processes_with(const std::string& text) {
  return static_cast<int>(those_with(text).size());
}

/// Once `file` is there and some time has passed, a signal ends it with 130 within 2 s and leaves nothing half-written.
void expect_to_stop(started& program, const std::string& file, int signal, const std::string& folder) {
  wait_for(file);
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  program.send(signal);
  const auto end = program.end_within(2);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 130);
  EXPECT_THAT(parts_in(folder), testing::IsEmpty());
}

class stops_within_two_seconds : public testing::TestWithParam<int> {};

TEST_P(stops_within_two_seconds, a_run_at_burst_level_keeps_what_it_has) {
  const temp_dir dir;
  started run(words({"run", "--platform", "von_neumann_h100", "--out", dir / "o", "--quiet", "--timeline"}, endless));
  expect_to_stop(run, dir / "o/layers.csv.part", GetParam(), dir.path());
}
TEST_P(stops_within_two_seconds, a_server_keeps_what_it_has) {
  const temp_dir dir;
  started server({"serve", "--platform", "von_neumann_h100", "--model", "gpt-2", "--requests",
                  "poisson:rate=10,n=100000,input=512,output=128", "--reuse", "off", "--quiet", "--out", dir / "o"});
  expect_to_stop(server, dir / "o/steps.csv.part", GetParam(), dir.path());
  EXPECT_EQ(nlohmann::json::parse(*read_text(dir / "o/result.json"))["partial"], true);
}
INSTANTIATE_TEST_SUITE_P(faults, stops_within_two_seconds, testing::Values(SIGINT, SIGTERM, SIGHUP));

// nohup starts a program that ignores HUP: it goes on when the terminal is closed, and still ends with TERM.
TEST(faults, what_was_started_to_outlive_its_terminal_does) {
  const temp_dir dir;
  started run(words({"-c", "trap '' HUP; exec \"$0\" \"$@\"", std::string(MEMWALL_BINARY_DIR) + "/bin/memwall", "run",
                     "--platform", "von_neumann_h100", "--out", dir / "o", "--quiet"},
                    endless),
              "/dev/null", "/bin/sh");
  wait_for(dir / "o/layers.csv.part");
  run.send(SIGHUP);
  EXPECT_FALSE(run.end_within(1));
  run.send(SIGTERM);
  const auto end = run.end_within(2);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 130);
}

TEST(faults, a_partial_result_says_so) {
  const temp_dir dir;
  // Operators end all the time, the whole takes long.
  started run({"run", "--platform", "von_neumann_h100", "--model", "llama-2-7b", "--tokens", "4000", "--out", dir / "o",
               "--quiet"});
  wait_for(dir / "o/layers.csv.part");
  std::this_thread::sleep_for(std::chrono::milliseconds(900));
  run.send(SIGTERM);
  const auto end = run.end_within(2);
  ASSERT_TRUE(end);
  ASSERT_EQ(end->exit_code, 130);
  const auto r = nlohmann::json::parse(*read_text(dir / "o/result.json"));
  EXPECT_EQ(r["partial"], true);
  EXPECT_GT(r["summary"]["time_ns"], 0);
  for (const char* rate : {"tokens_per_s", "time_per_token_ns", "energy_per_token_pj"})
    EXPECT_TRUE(r["summary"][rate].is_null()) << rate;
}

TEST(faults, a_run_that_waits_for_its_input_ends_at_once) {
  const temp_dir dir;
  ASSERT_EQ(::mkfifo((dir / "trace").c_str(), 0600), 0);
  started run({"run", "--platform", "cim_sram", "--trace", dir / "trace", "--out", dir / "o"});
  if (!run.end_within(0.5)) run.send(SIGTERM);  // a program that refuses such a file is right, too
  ASSERT_TRUE(run.end_within(2));
  if (fs::exists(dir / "o")) {
    EXPECT_THAT(parts_in(dir / "o"), testing::IsEmpty());
  }
}

TEST(faults, compare_and_its_children_end) {
  const temp_dir dir;
  started compare(words({"compare", "--platform", "von_neumann_h100", "--platform", "von_neumann_a100", "-j", "2",
                         "--out", dir / "o", "--quiet"},
                        endless));
  wait_for(dir / "o/von_neumann_a100/layers.csv.part");
  compare.send(SIGTERM);
  const auto end = compare.end_within(2);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 130);
  EXPECT_EQ(processes_with(dir / "o"), 0);
  EXPECT_THAT(parts_in(dir.path()), testing::IsEmpty());
  EXPECT_EQ(nlohmann::json::parse(*read_text(dir / "o/compare.json"))["partial"], true);
}

// A run that is killed has failed, at the first point of an axis as at any other: it does not say that nothing fits.
TEST(faults, a_point_that_is_killed_is_told_as_failed) {
  const temp_dir dir;
  const std::string program = std::string(MEMWALL_BINARY_DIR) + "/bin/memwall";
  const std::string what = "compare --platform von_neumann_h100 --platform cim_sram --sweep batch=1,2 -j 1 --model " +
                           mini + " --context 64 --transfer-bytes 2048 --out ";
  started compare({"-c", "exec " + program + " " + what + (dir / "o") + " > " + (dir / "told")}, "/dev/null",
                  "/bin/sh");
  const std::string first = dir / "o/von_neumann_h100/batch-1";
  wait_for(first + "/layers.csv.part");
  for (const pid_t run : those_with(first)) ::kill(run, SIGKILL);
  const auto end = compare.end_within(100);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 1);
  const std::string told = *read_text(dir / "told");
  EXPECT_THAT(told, testing::ContainsRegex("\n1 +failed +[0-9.]+ [mun]s"));
  EXPECT_THAT(told, testing::Not(HasSubstr("does not fit")));
}

// What a command says is read to its end, however late it comes (we look for signals four times a second), however much
// it is (a pipe holds 64 KiB), and from both streams.
TEST(faults, a_command_is_heard_to_its_end) {
  const auto late = run_command({"sh", "-c", "sleep 0.3; echo late; echo later >&2; exit 3"});
  EXPECT_EQ(late.output, "late\n");
  EXPECT_EQ(late.errors, "later\n");
  EXPECT_EQ(late.exit_code, 3);
  const auto much = run_command({"sh", "-c", "yes | head -c 300000; yes n | head -c 300000 >&2"});
  EXPECT_EQ(much.output.size(), 300000U);
  EXPECT_EQ(much.errors.size(), 300000U);
  EXPECT_EQ(run_command({"cat"}, "given\nto it").output, "given\nto it");
  EXPECT_EQ(run_command({"true"}, "nobody reads this").exit_code, 0);
  EXPECT_EQ(run_command({"sh", "-c", "kill -9 $$"}).exit_code, 128 + 9);
  EXPECT_EQ(run_command({"/nonexistent/program"}).exit_code, 127);
}

// Who is asked to stop while a command runs does not wait for its end, and knows it afterwards.
TEST(faults, a_command_ends_with_who_runs_it) {
  const signal_scope signals;
  const auto start = steady::now();
  ::kill(::getpid(), SIGTERM);
  const auto r = run_command({"sleep", "5"});
  EXPECT_LT(steady::now() - start, std::chrono::seconds(3));
  EXPECT_EQ(r.exit_code, 130);
  EXPECT_TRUE(signal_scope::stop_pending());
  EXPECT_EQ(signals.wait(std::chrono::seconds(1)), SIGTERM);
  EXPECT_FALSE(signal_scope::stop_pending());
}

TEST(faults, a_child_that_crashes_is_told_as_such) {
  const temp_dir dir;
  started compare(words({"compare", "--platform", "von_neumann_h100", "--out", dir / "o", "--quiet"}, endless));
  wait_for(dir / "o/von_neumann_h100/layers.csv.part");
  for (const pid_t child : those_with(dir / "o/von_neumann_h100")) ::kill(child, SIGSEGV);
  const auto end = compare.end_within(10);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 1) << "not 4: nothing is wrong with the disk";
  EXPECT_EQ(nlohmann::json::parse(*read_text(dir / "o/compare.json"))["platforms"][0]["exit_code"], 1);
}

TEST(faults, children_die_with_a_killed_compare) {
  const temp_dir dir;
  started compare(words({"compare", "--platform", "von_neumann_h100", "--out", dir / "o", "--quiet"}, endless));
  wait_for(dir / "o/von_neumann_h100/layers.csv.part");
  compare.send(SIGKILL);
  ASSERT_TRUE(compare.end_within(2));
  for (int i = 0; i < 200 && processes_with(dir / "o") != 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(processes_with(dir / "o"), 0);
}

TEST(faults, validate_ends) {
  started validate({"validate", "--only", "PRE*", "--quiet"});
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  validate.send(SIGINT);
  const auto end = validate.end_within(2);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->exit_code, 130);
}

TEST(faults, one_run_a_folder) {
  const temp_dir dir;
  started first(words({"run", "--platform", "von_neumann_h100", "--out", dir / "o", "--quiet"}, endless));
  wait_for(dir / "o/layers.csv.part");
  const auto second = memwall("run " + small + " --out " + (dir / "o"));
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_THAT(second.err, HasSubstr("another run is running here (process " + std::to_string(first.pid()) + " on "));
  EXPECT_TRUE(fs::exists(dir / "o/layers.csv.part"));  // the first one's
}

TEST(faults, a_run_leaves_only_its_own_files) {
  const temp_dir dir;
  const std::string out = " --out " + (dir / "o");
  ASSERT_EQ(memwall("run " + small + out + " --vcd --timeline").exit_code, 0);
  for (const char* f : {"waves.vcd", "waves.gtkw", "timeline.json"}) EXPECT_TRUE(fs::exists(dir / "o/" + f)) << f;
  std::ofstream(dir / "o/notes.txt") << "mine\n";
  ASSERT_EQ(memwall("run " + small + out).exit_code, 0);
  for (const char* f : {"waves.vcd", "waves.gtkw", "timeline.json"}) EXPECT_FALSE(fs::exists(dir / "o/" + f)) << f;
  for (const char* f : {"result.json", "layers.csv", "notes.txt"}) EXPECT_TRUE(fs::exists(dir / "o/" + f)) << f;
}

TEST(faults, a_comparison_leaves_only_its_own_platforms) {
  const temp_dir dir;
  const std::string rest = " --model " + mini + " --context 64 --quiet --out " + (dir / "o");
  ASSERT_EQ(memwall("compare --platform cim_sram --platform von_neumann_h100" + rest).exit_code, 0);
  fs::create_directory(dir / "o/other");
  std::ofstream(dir / "o/other/result.json") << "{}";
  std::ofstream(dir / "o/cim_sram/notes.txt") << "mine\n";
  ASSERT_EQ(memwall("compare --platform von_neumann_a100" + rest).exit_code, 0);
  EXPECT_FALSE(fs::exists(dir / "o/von_neumann_h100"));
  EXPECT_FALSE(fs::exists(dir / "o/cim_sram/result.json"));
  EXPECT_TRUE(fs::exists(dir / "o/cim_sram/notes.txt"));  // nobody wrote that here
  EXPECT_TRUE(fs::exists(dir / "o/other/result.json"));   // nor that
  EXPECT_TRUE(fs::exists(dir / "o/von_neumann_a100/result.json"));
  // A run's result in a folder of a comparison stands alone.
  ASSERT_EQ(memwall("run " + small + " --out " + (dir / "o")).exit_code, 0);
  EXPECT_FALSE(fs::exists(dir / "o/compare.json"));
  EXPECT_FALSE(fs::exists(dir / "o/von_neumann_a100"));
}

TEST(faults, what_compare_sweeps_is_a_table_for_report) {
  const temp_dir dir;
  ASSERT_EQ(memwall("compare --platform cim_sram --platform von_neumann_h100 --model " + mini +
                    " --context 64 --quiet --sweep batch=1,3 --out " + (dir / "o"))
                .exit_code,
            0);
  std::ifstream table(dir / "o/results.csv");
  std::string line;
  std::getline(table, line);
  EXPECT_THAT(line, HasSubstr("point,status,axis.platform,axis.batch,summary.time_ns"));
  const char* rows[] = {"0,ok,cim_sram,1,", "1,ok,von_neumann_h100,1,", "2,ok,cim_sram,3,", "3,ok,von_neumann_h100,3,"};
  for (const char* begin : rows) {
    std::getline(table, line);
    EXPECT_EQ(line.rfind(begin, 0), 0U) << line;
  }
  if (fs::exists(std::string(MEMWALL_BINARY_DIR) + "/share/memwall/tools/report/template.html")) {
    EXPECT_EQ(memwall("report " + (dir / "o") + " -o " + (dir / "page.html") + " --quiet").exit_code, 0);
  }
}

TEST(faults, output_that_is_lost_is_not_success) {
  const auto full = memwall("run --json " + small + " > /dev/full");
  EXPECT_EQ(full.exit_code, 4);
  EXPECT_THAT(full.err, HasSubstr("standard output: cannot be written"));
  const temp_dir dir;
  fs::create_directories(dir / "o/layers.csv");
  const auto folder = memwall("run " + small + " --out " + (dir / "o"));
  EXPECT_EQ(folder.exit_code, 2);
  EXPECT_THAT(folder.err, HasSubstr("layers.csv: is a folder"));
  EXPECT_FALSE(fs::exists(dir / "o/result.json"));
  std::ofstream(dir / "file") << "x";
  EXPECT_EQ(memwall("run " + small + " --out " + (dir / "file")).exit_code, 2);
}

/// A limit of file size stands for a full disk, for who may not mount one.
std::string with_file_limit(int kilobytes, const std::string& arguments) {
  return "--version > /dev/null; ulimit -f " + std::to_string(kilobytes) + "; " + MEMWALL_BINARY_DIR + "/bin/memwall " +
         arguments;
}

TEST(faults, a_full_disk_is_exit_code_4) {
  const temp_dir dir;
  const auto run = memwall(with_file_limit(1, "run " + small + " --out " + (dir / "r")));
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(parts_in(dir / "r"), testing::IsEmpty());
  EXPECT_FALSE(fs::exists(dir / "r/result.json"));
  const auto compare = memwall(
      with_file_limit(1, "compare --platform cim_sram --model " + mini + " --context 64 --quiet --out " + (dir / "c")));
  EXPECT_EQ(compare.exit_code, 4);
  EXPECT_THAT(parts_in(dir / "c"), testing::IsEmpty());
  const auto serve = memwall(with_file_limit(1, "serve " + served + " --quiet --out " + (dir / "s")));
  EXPECT_EQ(serve.exit_code, 4);
  EXPECT_THAT(parts_in(dir / "s"), testing::IsEmpty());
  EXPECT_FALSE(fs::exists(dir / "s/result.json"));
}

TEST(faults, a_server_refuses_folders_and_inputs_that_are_no_files) {
  const temp_dir dir;
  fs::create_directories(dir / "o/steps.csv");
  const auto folder = memwall("serve " + served + " --quiet --out " + (dir / "o"));
  EXPECT_EQ(folder.exit_code, 2);
  EXPECT_THAT(folder.err, HasSubstr("steps.csv: is a folder"));
  EXPECT_FALSE(fs::exists(dir / "o/result.json"));
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  for (const std::string& file : {dir / "pipe", std::string("/dev/zero")}) {
    const auto r = memwall("serve --platform cim_sram --model gpt-2 --requests " + file);
    EXPECT_EQ(r.exit_code, 2) << file;
    EXPECT_THAT(r.err, HasSubstr("not a file"));
  }
  const auto lost = memwall("serve --json " + served + " > /dev/full");
  EXPECT_EQ(lost.exit_code, 4);
  EXPECT_THAT(lost.err, HasSubstr("standard output: cannot be written"));
}

TEST(faults, a_full_disk_leaves_the_points_of_a_sweep_open) {
  const temp_dir dir;
  std::ofstream(dir / "s.yaml") << "base: {platform: cim_sram, model: " << mini
                                << ", workload: {context: 64}}\naxes: {workload.batch: [1, 2, 3]}\n";
  const std::string sweep = "sweep " + (dir / "s.yaml") + " --out " + (dir / "o");
  EXPECT_EQ(memwall(with_file_limit(16, sweep)).exit_code, 4);
  const auto again = memwall(sweep);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("3 ok (3 run now"));
}

TEST(faults, a_small_disk) {
  const temp_dir dir;
  fs::create_directory(dir / "disk");
  if (::mount("memwall-test", (dir / "disk").c_str(), "tmpfs", 0, "size=48k") != 0)
    GTEST_SKIP() << "no file system can be mounted here";
  std::ofstream(dir / "s.yaml") << "base: {platform: cim_sram, model: " << mini
                                << ", workload: {context: 64}}\naxes: {workload.batch: [1, 2]}\n";
  const auto run = memwall("run " + small + " --out " + (dir / "disk/r"));
  const auto sweep = memwall("sweep " + (dir / "s.yaml") + " --out " + (dir / "disk/s"));
  const bool grown = ::mount("memwall-test", (dir / "disk").c_str(), "tmpfs", MS_REMOUNT, "size=4m") == 0;
  const auto again = memwall("sweep " + (dir / "s.yaml") + " --out " + (dir / "disk/s"));
  ::umount((dir / "disk").c_str());
  EXPECT_EQ(run.exit_code, 4) << run.err;
  EXPECT_EQ(sweep.exit_code, 4) << sweep.out << sweep.err;
  if (grown) {
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_THAT(again.out, HasSubstr("2 ok"));
  }
}

// Of a file system with two files, which are its root and a folder: no room for another folder, nor for a lock in it.
TEST(faults, a_disk_without_room_for_a_name_is_exit_code_4) {
  const temp_dir dir;
  fs::create_directory(dir / "disk");
  if (::mount("memwall-test", (dir / "disk").c_str(), "tmpfs", 0, "nr_inodes=2") != 0)
    GTEST_SKIP() << "no file system can be mounted here";
  fs::create_directory(dir / "disk/there");
  const auto made = memwall("run " + small + " --out " + (dir / "disk/new"));
  const auto there = memwall("run " + small + " --out " + (dir / "disk/there"));
  ::umount((dir / "disk").c_str());
  for (const auto* r : {&made, &there}) {
    EXPECT_EQ(r->exit_code, 4) << r->err;
    EXPECT_THAT(r->err, HasSubstr("cannot be written: No space left on device"));
  }
}

TEST(faults, a_lock_that_is_no_file_is_refused) {
  const temp_dir dir;
  fs::create_directories(dir / "folder/.lock");
  fs::create_directory(dir / "link");
  fs::create_symlink(dir / "elsewhere", dir / "link/.lock");
  const auto folder = memwall("run " + small + " --out " + (dir / "folder")),
             link = memwall("run " + small + " --out " + (dir / "link"));
  EXPECT_EQ(folder.exit_code, 2);
  EXPECT_THAT(folder.err, HasSubstr("folder: cannot be used: Is a directory"));
  EXPECT_EQ(link.exit_code, 2);
  EXPECT_THAT(link.err, HasSubstr("link: cannot be used: Too many levels of symbolic links"));
  EXPECT_FALSE(fs::exists(dir / "elsewhere"));
}

}  // namespace
