// SPDX-License-Identifier: Apache-2.0
// `memwall sweep` as users start it, with a stand-in for the simulation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/support/temp_dir.h"
#include "tools/process/child.h"
#include "tools/process/files.h"
#include "tools/sweep/digest.h"
#include "tools/sweep/record.h"

namespace {
using namespace memwall::sweep;
using namespace memwall::tools;
using memwall::test::temp_dir;
using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string program = std::string(MEMWALL_BINARY_DIR) + "/bin/memwall";
const std::string fake = std::string(MEMWALL_BINARY_DIR) + "/tests/fake_run";

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}
std::string read(const std::string& path) {
  return read_text(path).value_or("(absent)");
}

std::vector<std::string> command(const std::string& file, const std::string& out,
                                 const std::vector<std::string>& more = {}) {
  std::vector<std::string> c = {program, "sweep", file, "--out", out, "--runner", fake};
  c.insert(c.end(), more.begin(), more.end());
  return c;
}

command_result run(const std::string& file, const std::string& out, const std::vector<std::string>& more = {}) {
  return run_command(command(file, out, more));
}

/// The sweep of `dir`/s.yaml into `dir`/o, beside the test.
pid_t start(const temp_dir& dir, const std::vector<std::string>& more = {}) {
  const auto c = command(dir / "s.yaml", dir / "o", more);
  child_setup setup;
  setup.program = c[0];
  setup.arguments.assign(c.begin() + 1, c.end());
  setup.error_file = dir / "err";
  return start_child(setup);
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string l; std::getline(in, l);) out.push_back(l);
  return out;
}

/// The cells of column `name` of a results.csv without quotes in the columns before it.
std::vector<std::string> column(const std::string& csv, const std::string& name) {
  const auto rows = lines(csv);
  std::vector<std::string> out;
  std::size_t at = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::istringstream in(rows[r]);
    std::vector<std::string> cells;
    for (std::string c; std::getline(in, c, ',');) cells.push_back(c);
    if (r == 0)
      at = static_cast<std::size_t>(std::find(cells.begin(), cells.end(), name) - cells.begin());
    else
      out.push_back(at < cells.size() ? cells[at] : "(none)");
  }
  return out;
}

/// Same contents, whatever the sweep was called and wherever its folder lies.
void expect_same(const std::string& a, const std::string& b) {
  EXPECT_EQ(read(a + "/results.csv"), read(b + "/results.csv"));
  EXPECT_TRUE(read(a + "/sweep.sqlite") == read(b + "/sweep.sqlite"));
  EXPECT_NE(read(a + "/sweep.sqlite"), "(absent)");
}

constexpr const char* grid =
    "name: grid\nbase: {platform: [p, q], model: m}\n"
    "axes: {workload.batch: {powers_of_two: [1, 16]}, fake.bandwidth: [1, 2, 4, 8], fake.latency: [0, 5]}\n";

TEST(sweep_run, values_and_columns) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: [1, 2], fake.bandwidth: [1, 8]}\n");
  const auto r = run(dir / "s.yaml", dir / "o");
  ASSERT_EQ(r.exit_code, 0) << r.errors;
  const std::string csv = read(dir / "o/results.csv");
  EXPECT_EQ(lines(csv)[0],
            "point,status,axis.workload.batch,axis.fake.bandwidth,summary.time_ns,summary.energy_pj,summary."
            "bound_by,"
            "platform,model,seed,memwall_version,exit_code,message,key,command");
  // time = 1e6 batch / bandwidth (see fake_run.cpp)
  EXPECT_THAT(column(csv, "summary.time_ns"), testing::ElementsAre("1000000", "125000", "2000000", "250000"));
  EXPECT_THAT(column(csv, "summary.energy_pj"), testing::ElementsAre("8", "29", "13", "34"));
  EXPECT_THAT(lines(csv)[4], HasSubstr("memwall run --platform p --model m --batch 2 --set fake.bandwidth=8"));
  EXPECT_FALSE(fs::exists(dir / "o/tmp"));
}

TEST(sweep_run, same_files_for_any_number_of_jobs) {
  const temp_dir dir;
  write(dir / "s.yaml", grid);
  for (const char* j : {"1", "2", "7"}) ASSERT_EQ(run(dir / "s.yaml", dir / j, {"-j", j}).exit_code, 0);
  expect_same(dir / "1", dir / "2");
  expect_same(dir / "1", dir / "7");
  EXPECT_EQ(lines(read(dir / "1/results.csv")).size(), 81U);
}

TEST(sweep_run, failures_are_recorded_and_the_sweep_goes_on) {
  const temp_dir dir;
  write(dir / "s.yaml",
        "base: {platform: p, model: m}\nlimits: {timeout: 2 s, memory: 1 GiB}\n"
        "zip: {fake.exit: [0, 1, 2, 3, 0, 0, 0, 0, 0], fake.signal: [0, 0, 0, 0, 11, 0, 0, 0, 0], "
        "fake.sleep_ms: [0, 0, 0, 0, 0, 20000, 0, 0, 0],\n"
        "  fake.eat_mb: [0, 0, 0, 0, 0, 0, 2000, 0, 0], fake.torn: [~, ~, ~, ~, ~, ~, ~, 1, ~]}\n");
  const auto r = run(dir / "s.yaml", dir / "o");
  EXPECT_EQ(r.exit_code, 0) << r.errors;
  const std::string csv = read(dir / "o/results.csv");
  EXPECT_THAT(column(csv, "status"), testing::ElementsAre("ok", "crashed", "refused", "does_not_fit", "crashed",
                                                          "timeout", "out_of_memory", "crashed", "ok"));
  EXPECT_THAT(csv, HasSubstr("\"memwall: the fake ends with 2, writing to OUT/out\""));  // no temporary name
  EXPECT_THAT(csv, HasSubstr("ended by signal 11"));
  EXPECT_THAT(csv, HasSubstr("took longer than 2 s"));
  EXPECT_THAT(csv, HasSubstr("result.json is not valid"));
  EXPECT_THAT(r.output, HasSubstr("3 crashed"));
  EXPECT_THAT(r.output, HasSubstr("  1 refused: memwall: the fake ends with 2, writing to OUT/out\n"));
  EXPECT_FALSE(fs::exists(dir / "o/tmp"));
}

// A node is told numbers of points; of a sweep of two, numbered from 0, 2 is none.
TEST(sweep_run, a_node_leaves_out_numbers_that_are_no_points) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: [1, 2]}\n");
  write(dir / "chunk", "1\n2\n");
  const auto node = run(dir / "s.yaml", dir / "o", {"--node", dir / "chunk"});
  EXPECT_EQ(node.exit_code, 0) << node.errors;
  ::setenv("FAKE_RUN_LOG", (dir / "log").c_str(), 1);
  write(dir / "log", "");
  EXPECT_EQ(run(dir / "s.yaml", dir / "o").exit_code, 0);
  EXPECT_EQ(lines(read(dir / "log")).size(), 1U) << "the first point is what remains to be run";
  ::unsetenv("FAKE_RUN_LOG");
}

TEST(sweep_run, a_time_limit_that_is_no_whole_number_of_seconds_is_told_as_it_is) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\nlimits: {timeout: 0.5 s}\naxes: {fake.sleep_ms: [20000]}\n");
  const auto r = run(dir / "s.yaml", dir / "o");
  EXPECT_EQ(r.exit_code, 0) << r.errors;
  EXPECT_THAT(read(dir / "o/results.csv"), HasSubstr("took longer than 0.5 s"));
}

std::size_t starts(const std::string& log) {
  return lines(read(log)).size();
}

TEST(sweep_run, only_what_changed_is_run_again) {
  const temp_dir dir;
  ::setenv("FAKE_RUN_LOG", (dir / "log").c_str(), 1);
  write(dir / "log", "");
  write(dir / "p.yaml", "a: 1\n");
  const auto sweep_file = [&](const std::string& batches) {
    write(dir / "s.yaml", "base: {platform: p.yaml, model: m}\naxes: {workload.batch: " + batches + "}\n");
  };
  sweep_file("[1, 2]");
  ASSERT_EQ(run(dir / "s.yaml", dir / "o").exit_code, 0);
  EXPECT_EQ(starts(dir / "log"), 2U);
  ASSERT_EQ(run(dir / "s.yaml", dir / "o").exit_code, 0);
  EXPECT_EQ(starts(dir / "log"), 2U);
  sweep_file("[2, 4, 8]");  // a longer axis: 2 is known
  ASSERT_EQ(run(dir / "s.yaml", dir / "o").exit_code, 0);
  EXPECT_EQ(starts(dir / "log"), 4U);
  EXPECT_THAT(column(read(dir / "o/results.csv"), "axis.workload.batch"), testing::ElementsAre("2", "4", "8"));
  write(dir / "p.yaml", "a: 2\n");  // the platform changed: all of them
  ASSERT_EQ(run(dir / "s.yaml", dir / "o").exit_code, 0);
  EXPECT_EQ(starts(dir / "log"), 7U);
  ::unsetenv("FAKE_RUN_LOG");
}

// What a point is made of: the platform's own file and those that it builds on, however far.
TEST(sweep_run, a_base_of_the_platform_that_changed_is_run_again) {
  const temp_dir dir;
  ::setenv("FAKE_RUN_LOG", (dir / "log").c_str(), 1);
  write(dir / "log", "");
  write(dir / "p.yaml", "base: q.yaml\na: 1\n");
  write(dir / "q.yaml", "base: r.yaml\nb: 1\n");
  write(dir / "r.yaml", "c: 1\n");
  write(dir / "beside.yaml", "c: 1\n");
  write(dir / "s.yaml", "base: {platform: p.yaml, model: m}\n");
  std::size_t expected = 0;
  const auto run_again = [&] {
    ASSERT_EQ(run(dir / "s.yaml", dir / "o").exit_code, 0);
    EXPECT_EQ(starts(dir / "log"), expected);
  };
  ++expected, run_again();
  run_again();
  write(dir / "beside.yaml", "c: 2\n");
  run_again();
  write(dir / "q.yaml", "base: r.yaml\nb: 2\n");
  ++expected, run_again();
  write(dir / "r.yaml", "c: 2\n");
  ++expected, run_again();
  ::unsetenv("FAKE_RUN_LOG");
}

// What a simulation says of memory tells why it crashed, where there was a limit of it.
TEST(sweep_run, what_is_said_of_memory_is_a_limit_that_was_met) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: [1, 2, 3, 4]}\n");
  write(dir / "runner",
        "#!/bin/sh\ncase \"$*\" in *'--batch 1 '*) echo 'std::bad_alloc';; *'--batch 2 '*) echo 'fork: Cannot allocate "
        "memory';; *'--batch 3 '*) echo 'Out of memory';; *) echo 'something else';; esac >&2\nexit 1\n");
  fs::permissions(dir / "runner", fs::perms::owner_all);
  const auto with = [&](const std::string& out, const std::vector<std::string>& more) {
    auto c = command(dir / "s.yaml", out, more);
    *std::find(c.begin(), c.end(), fake) = dir / "runner";
    EXPECT_EQ(run_command(c).exit_code, 0);
    return column(read(out + "/results.csv"), "status");
  };
  EXPECT_THAT(with(dir / "limited", {"--memory", "1 GiB"}),
              testing::ElementsAre("out_of_memory", "out_of_memory", "out_of_memory", "crashed"));
  EXPECT_THAT(with(dir / "free", {}), testing::Each("crashed"));
}

TEST(sweep_run, accidents_are_retried_when_asked_or_when_the_limit_is_raised) {
  const temp_dir dir;
  ::setenv("FAKE_RUN_LOG", (dir / "log").c_str(), 1);
  write(dir / "log", "");
  write(dir / "s.yaml", "base: {platform: p, model: m}\nzip: {fake.exit: [1, 2, 0], fake.sleep_ms: [0, 0, 3500]}\n");
  ASSERT_EQ(run(dir / "s.yaml", dir / "o", {"--timeout", "1.5 s"}).exit_code, 0);
  EXPECT_EQ(starts(dir / "log"), 3U);
  ASSERT_EQ(run(dir / "s.yaml", dir / "o", {"--timeout", "1.5 s"}).exit_code, 0);
  EXPECT_EQ(starts(dir / "log"), 3U);
  ASSERT_EQ(run(dir / "s.yaml", dir / "o", {"--timeout", "60 s"}).exit_code, 0);  // the one that timed out
  EXPECT_EQ(starts(dir / "log"), 4U);
  EXPECT_THAT(column(read(dir / "o/results.csv"), "status"), testing::ElementsAre("crashed", "refused", "ok"));
  ASSERT_EQ(run(dir / "s.yaml", dir / "o", {"--timeout", "60 s", "--retry-failed"}).exit_code,
            0);  // the one that crashed
  EXPECT_EQ(starts(dir / "log"), 5U);
  ::unsetenv("FAKE_RUN_LOG");
}

TEST(sweep_run, interrupt_keeps_what_is_done_and_resumes) {
  const temp_dir dir;
  ::setenv("FAKE_RUN_LOG", (dir / "log").c_str(), 1);
  write(dir / "log", "");
  write(dir / "s.yaml",
        "base: {platform: p, model: m, set: {fake.sleep_ms: 30}}\naxes: {workload.batch: {linear: [1, 40], "
        "step: 1}}\n");
  const pid_t pid = start(dir, {"-j", "2"});
  while (starts(dir / "log") < 10) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::kill(pid, SIGINT);
  std::optional<child_end> end;
  while (!(end = reap_child(pid))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(end->exit_code, 130);
  const auto status = column(read(dir / "o/results.csv"), "status");  // partial results, marked
  ASSERT_EQ(status.size(), 40U);
  const auto pending = std::count(status.begin(), status.end(), "pending");
  EXPECT_GT(pending, 0);
  EXPECT_LE(pending, 32);  // ten were started, two of them in flight
  const std::size_t before = starts(dir / "log");
  ASSERT_EQ(run(dir / "s.yaml", dir / "o", {"-j", "2"}).exit_code, 0);
  EXPECT_EQ(starts(dir / "log") - before, static_cast<std::size_t>(pending));
  ::unsetenv("FAKE_RUN_LOG");
  ASSERT_EQ(run(dir / "s.yaml", dir / "undisturbed", {"-j", "3"}).exit_code, 0);
  expect_same(dir / "o", dir / "undisturbed");
}

// Half a point is of no use: those under way are killed, not asked to keep what they have.
TEST(sweep_run, points_under_way_are_not_asked_to_end) {
  const temp_dir dir;
  ::setenv("FAKE_RUN_LOG", (dir / "log").c_str(), 1);
  write(dir / "log", "");
  write(dir / "s.yaml", "base: {platform: p, model: m, set: {fake.sleep_ms: 60000, fake.listen: 1}}\n");
  const pid_t pid = start(dir);
  ::unsetenv("FAKE_RUN_LOG");
  while (starts(dir / "log") < 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::kill(pid, SIGTERM);
  std::optional<child_end> end;
  while (!(end = reap_child(pid))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(end->exit_code, 130);
  EXPECT_EQ(starts(dir / "log"), 1U) << read(dir / "log");
  EXPECT_THAT(column(read(dir / "o/results.csv"), "status"), testing::ElementsAre("pending"));
}

TEST(sweep_run, killed_at_20_random_moments_ends_as_an_undisturbed_one) {
  const temp_dir dir;
  write(dir / "s.yaml",
        "base: {platform: p, model: m}\nlimits: {timeout: 20 s}\n"
        "axes: {workload.batch: {linear: [1, 25], step: 1}, fake.sleep_ms: [0, 3, 6], fake.bandwidth: [1, 2, "
        "3, 4],\n"
        "  fake.exit: {values: [0, 2, 3, 1], when: workload.batch == 7}}\n");
  std::size_t killed = 0;
  for (std::uint64_t moment = 0; moment < 20; ++moment) {
    const pid_t pid = start(dir, {"-j", "3", "--quiet"});
    std::this_thread::sleep_for(std::chrono::microseconds(mix(2026, moment) % 120'000));
    killed += kill_child(pid).signal == SIGKILL;
  }
  EXPECT_GE(killed, 10U);
  const auto end = run(dir / "s.yaml", dir / "o", {"-j", "2"});
  ASSERT_EQ(end.exit_code, 0) << end.errors;
  ASSERT_EQ(run(dir / "s.yaml", dir / "undisturbed", {"-j", "1"}).exit_code, 0);
  expect_same(dir / "o", dir / "undisturbed");
  EXPECT_EQ(lines(read(dir / "o/results.csv")).size(), 1U + 25 * 3 * 4 + 3 * 3 * 4);
  EXPECT_FALSE(fs::exists(dir / "o/tmp"));  // leftovers are gone too
}

/// A scheduler's commands as scripts: sbatch starts the tasks of an array after half a second, and squeue lists those
/// of the cluster that it is asked for and of no other. sbatch.log has the tasks of each array, one array a line.
std::string fake_slurm(const temp_dir& dir, const std::string& sbatch_says = "", int largest_array = 1001) {
  const std::string bin = dir / "bin";
  fs::create_directory(bin);
  const auto script = [&](const std::string& name, const std::string& text) {
    write(bin + "/" + name, "#!/bin/bash\ncd " + dir.path() + "\ncluster=local; name=x; array=0-0\n" +
                                "for a in \"$@\"; do case $a in --clusters=*) cluster=${a#*=};; --name=*|--job-name=*) "
                                "name=${a#*=};; --array=*) array=${a#*=};; esac; done\n" +
                                text);
    fs::permissions(bin + "/" + name, fs::perms::owner_all);
  };
  script("scontrol", "echo 'MaxArraySize = " + std::to_string(largest_array) + "'\n");
  script("squeue",
         "echo \"CLUSTER: $cluster\"; for f in job.$cluster.$name.*; do [ -e $f ] && echo 7_0; done; exit 0\n");
  script("sbatch",
         !sbatch_says.empty()
             ? "echo '" + sbatch_says + "' >&2; exit 1\n"
             : "echo $array >> sbatch.log; script=$(cat)\nprintf '%s\\n' \"$@\" > sbatch.words; echo \"$script\" > "
               "sbatch.script\nfor i in $(seq ${array%-*} ${array#*-}); do : > "
               "job.$cluster.$name.$i\n( exec < /dev/null > /dev/null 2>&1; sleep 0.5; SLURM_ARRAY_TASK_ID=$i sh "
               "-c \"$script\"; rm job.$cluster.$name.$i ) & done\necho \"7;$cluster\"\n");
  return bin;
}

command_result run_on_slurm(const std::string& bin, const std::string& file, const std::string& out,
                            const std::vector<std::string>& more = {}, const std::string& runner = fake) {
  auto c = command(file, out, {"--executor", "slurm", "--poll", "0.1"});
  *std::find(c.begin(), c.end(), fake) = runner;
  c.insert(c.end(), more.begin(), more.end());
  c.insert(c.begin(), {"env", "PATH=" + bin + ":" + std::getenv("PATH")});
  return run_command(c);
}

TEST(sweep_run, jobs_are_followed_on_the_cluster_that_they_were_sent_to) {
  const temp_dir dir;
  write(dir / "s.yaml",
        "base: {platform: p, model: m}\naxes: {workload.batch: [1, 2]}\nslurm: {clusters: gpu, time: \"5\"}\n");
  const auto r = run_on_slurm(fake_slurm(dir), dir / "s.yaml", dir / "o");
  EXPECT_EQ(r.exit_code, 0) << r.errors;
  EXPECT_THAT(column(read(dir / "o/results.csv"), "status"), testing::ElementsAre("ok", "ok"));
  EXPECT_EQ(read(dir / "sbatch.log"), "0-0\n");  // once
}

// 13 points, two a task: 7 tasks. Of arrays below 4, that is of indices 0 to 2, it takes three: 3 + 3 + 1.
TEST(sweep_run, each_point_is_in_one_task_of_one_array) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: {linear: [1, 13], step: 1}}\n");
  ::setenv("FAKE_RUN_LOG", (dir / "starts").c_str(), 1);
  const auto r = run_on_slurm(fake_slurm(dir, "", 4), dir / "s.yaml", dir / "o", {"--chunk", "2"});
  ::unsetenv("FAKE_RUN_LOG");
  EXPECT_EQ(r.exit_code, 0) << r.errors;
  EXPECT_EQ(read(dir / "sbatch.log"), "0-2\n0-2\n0-0\n");
  auto starts = lines(read(dir / "starts"));
  EXPECT_EQ(starts.size(), 13U);
  std::sort(starts.begin(), starts.end());
  EXPECT_EQ(std::unique(starts.begin(), starts.end()), starts.end());
}

// What the submitter was told of the points it tells the nodes, apostrophes included; what is not told has no word.
// Each task has as many cores as it simulates points at once, and what the sweep file says of the cluster comes last.
TEST(sweep_run, tasks_are_started_with_what_the_submitter_was_told) {
  const temp_dir dir;
  write(dir / "s.yaml",
        "base: {platform: p, model: m}\naxes: {workload.batch: [1, 2]}\nslurm: {partition: big, exclusive: \"\"}\n");
  const std::string bin = fake_slurm(dir);
  ASSERT_EQ(run_on_slurm(bin, dir / "s.yaml", dir / "plain", {"-j", "1"}).exit_code, 0);
  EXPECT_THAT(read(dir / "sbatch.script"), testing::EndsWith(" -j '1' --runner '" + fake + "' --quiet\n"));
  const auto r = run_on_slurm(bin, dir / "s.yaml", dir / "o",
                              {"-j", "3", "--set", "fake.note=it's", "--set", "model=n", "--timeout", "0.05 h",
                               "--memory", "3 GiB", "--keep", "result"});
  EXPECT_EQ(r.exit_code, 0) << r.errors;
  const std::string script = read(dir / "sbatch.script");
  EXPECT_EQ(lines(script).front(), "#!/bin/sh");
  EXPECT_THAT(script, HasSubstr("exec '" + program + "' sweep '" + (dir / "o/sweep.yaml") + "' --out '" + (dir / "o") +
                                "' --node '" + (dir / "o/slurm/1/chunk.") + "'$(( 0 + SLURM_ARRAY_TASK_ID )) "));
  EXPECT_THAT(script,
              HasSubstr(" -j '3' --runner '" + fake +
                        "' --set 'fake.note=it'\\''s' --set 'model=n' --timeout '180 s' --memory '3221225472 B' "
                        "--keep 'result' --quiet\n"));
  const auto words = lines(read(dir / "sbatch.words"));
  ASSERT_EQ(words.size(), 8U);
  EXPECT_THAT(words[2], testing::StartsWith("--job-name=memwall-"));
  EXPECT_THAT(std::vector<std::string>(words.begin() + 3, words.end()),
              testing::ElementsAre("--array=0-0", "--cpus-per-task=3", "--output=" + (dir / "o/slurm/1/0.%a.log"),
                                   "--exclusive", "--partition=big"));
  EXPECT_EQ(words[0] + words[1], "--parsable--no-requeue");
  EXPECT_THAT(lines(read(dir / "o/results.csv"))[1], HasSubstr("--model n "));
}

// A task has a thousandth of the points, but at least 10: 21 of them are three tasks.
TEST(sweep_run, few_points_are_ten_a_task) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: {linear: [1, 21], step: 1}}\n");
  const auto r = run_on_slurm(fake_slurm(dir), dir / "s.yaml", dir / "o");
  EXPECT_EQ(r.exit_code, 0) << r.errors;
  EXPECT_EQ(read(dir / "sbatch.log"), "0-2\n");
}

// The first of 56 points ends its task, and with it the 55 behind it. A task of the second round has an eighth as many:
// 7, 6 of which are lost with the first again. In the third they are alone, and the first, which has had its two
// retries, is given up.
TEST(sweep_run, a_point_that_ends_its_task_is_sent_again_with_fewer_others_and_then_given_up) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {fake.poison: {linear: [1, 56], step: 1}}\n");
  write(dir / "killer",
        "#!/bin/sh\ncase \"$*\" in *poison=1\\ *) kill -9 $PPID; sleep 5;; esac\nexec " + fake + " \"$@\"\n");
  fs::permissions(dir / "killer", fs::perms::owner_all);
  const auto r = run_on_slurm(fake_slurm(dir), dir / "s.yaml", dir / "o",
                              {"--chunk", "56", "-j", "1", "--retries", "2"}, dir / "killer");
  EXPECT_EQ(r.exit_code, 0) << r.errors;
  EXPECT_EQ(read(dir / "sbatch.log"), "0-0\n0-7\n0-6\n");
  const std::string csv = read(dir / "o/results.csv");
  std::vector<std::string> status(56, "ok");
  status[0] = "lost";
  EXPECT_EQ(column(csv, "status"), status);
  EXPECT_THAT(csv, HasSubstr("3 cluster jobs ended without a result of this point; see slurm/3/"));
}

TEST(sweep_run, a_limit_of_submitted_jobs_is_explained) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: [1, 2]}\n");
  const std::string bin = fake_slurm(dir, "sbatch: error: QOSMaxSubmitJobPerUserLimit");
  const auto r = run_on_slurm(bin, dir / "s.yaml", dir / "o");
  EXPECT_EQ(r.exit_code, 2);
  for (const char* word :
       {"takes no more jobs of this user now", "QOSMaxSubmitJobPerUserLimit", "--chunk", "scancel --name="})
    EXPECT_THAT(r.errors, HasSubstr(word));
}

TEST(sweep_run, a_point_that_is_ended_from_outside_stays_open) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {fake.signal: [0, 9, 15]}\n");
  const auto r = run(dir / "s.yaml", dir / "o");
  EXPECT_EQ(r.exit_code, 130);
  EXPECT_THAT(r.output, HasSubstr("2 points were ended from outside"));
  EXPECT_THAT(column(read(dir / "o/results.csv"), "status"), testing::ElementsAre("ok", "pending", "pending"));
}

TEST(sweep_run, a_point_that_cannot_write_stays_open_and_ends_the_sweep) {
  const temp_dir dir;
  ::setenv("FAKE_RUN_LOG", (dir / "log").c_str(), 1);
  write(dir / "log", "");
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {fake.exit: [0, 4, 0]}\n");
  const auto r = run(dir / "s.yaml", dir / "o", {"-j", "1"});
  EXPECT_EQ(r.exit_code, 4);
  EXPECT_LE(starts(dir / "log"), 3U);
  EXPECT_EQ(column(read(dir / "o/results.csv"), "status")[1], "pending");
  ::unsetenv("FAKE_RUN_LOG");
}

TEST(sweep_run, one_sweep_a_folder) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m, set: {fake.sleep_ms: 60000}}\n");
  const pid_t pid = start(dir);
  while (!fs::exists(dir / "o/tmp")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto second = run(dir / "s.yaml", dir / "o");
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_THAT(second.errors, HasSubstr("another sweep is running here (process " + std::to_string(pid) + " on "));
  kill_child(pid);
}

TEST(sweep_run, dry_run_lists_points_number_and_time) {
  const temp_dir dir;
  write(dir / "s.yaml",
        "base: {platform: p, model: m, set: {fake.sleep_ms: 100}}\naxes: {workload.batch: [1, 2, 4, 8]}\n");
  const auto r = run_command({program, "sweep", dir / "s.yaml", "--dry-run", "-j", "2", "--runner", fake});
  ASSERT_EQ(r.exit_code, 0) << r.errors;
  EXPECT_THAT(r.output, HasSubstr("point\tworkload.batch\n0\t1\n1\t2\n2\t4\n3\t8\n4 points; about "));
}

TEST(sweep_run, keeps_output_when_asked) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: [1, 2]}\n");
  ASSERT_EQ(run(dir / "s.yaml", dir / "o", {"--keep", "result"}).exit_code, 0);
  std::size_t kept = 0;
  for (const auto& e : fs::recursive_directory_iterator(dir / "o/kept")) kept += e.path().filename() == "result.json";
  EXPECT_EQ(kept, 2U);
}

TEST(sweep_run, bad_input_is_exit_code_2) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\nsampel: 3\n");
  EXPECT_EQ(run(dir / "s.yaml", dir / "o").exit_code, 2);
  write(dir / "s.yaml", "base: {platform: p, model: m}\n");
  const auto r = run(dir / "s.yaml", dir / "o", {"--executor", "slrum"});
  EXPECT_EQ(r.exit_code, 2);
  EXPECT_THAT(r.errors, HasSubstr("unknown executor 'slrum'"));
}

// The sweep's own work, starting the stand-in (about a millisecond) included. Processor time, as the wall
// clock of a busy machine says nothing about the program.
TEST(sweep_run, overhead_of_a_point_is_below_30_ms) {
  const temp_dir dir;
  write(dir / "s.yaml", "base: {platform: p, model: m}\naxes: {workload.batch: {linear: [1, 200], step: 1}}\n");
  const pid_t pid = start(dir, {"-j", "1"});
  std::optional<child_end> end;
  while (!(end = reap_child(pid))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_EQ(end->exit_code, 0);
  RecordProperty("ms_a_point", std::to_string(end->cpu_s / 200 * 1e3));
  EXPECT_LT(end->cpu_s / 200, 0.030);
}

TEST(sweep_run, search_is_the_same_for_any_number_of_jobs_and_resumes) {
  const temp_dir dir;
  write(dir / "s.yaml",
        "base: {platform: p, model: m}\naxes: {workload.batch: {linear: [1, 12], step: 1}, fake.bandwidth: "
        "{linear: [1, 12], step: 1}}\n");
  const std::vector<std::string> how = {"--optimise", "time,energy", "--budget", "40"};
  for (const char* j : {"1", "4"}) {
    auto more = how;
    more.insert(more.end(), {"-j", j});
    const auto r = run(dir / "s.yaml", dir / j, more);
    ASSERT_EQ(r.exit_code, 0) << r.errors;
    EXPECT_THAT(r.output, HasSubstr("Pareto front (point, time_ns, energy_pj"));
  }
  expect_same(dir / "1", dir / "4");
  EXPECT_EQ(lines(read(dir / "1/results.csv")).size(), 41U);
  const auto again = run(dir / "s.yaml", dir / "1", how);
  EXPECT_THAT(again.output, HasSubstr("(0 run now"));
  const auto wrong = run(dir / "s.yaml", dir / "1", {"--optimise", "tiem_ns", "--budget", "10"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.errors, HasSubstr("did you mean 'time_ns'"));
}

}  // namespace
