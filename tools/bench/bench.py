#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast memwall is, row by row, beside a stored baseline.

    tools/bench/bench.py                        all rows with build/release/bin/memwall
    tools/bench/bench.py --only 'engine/*'      some rows
    tools/bench/bench.py --memwall OTHER        another program, e.g. of a former tree
    tools/bench/bench.py --write                the figures become the baseline

A row is run twice, short and long: the difference is the cost of the work itself, without start-up. Instructions are
counted by valgrind's cachegrind, so a busy machine gives the same figures; times are user time, the least of three.
"""
import argparse
import fnmatch
import json
import os
import re
import resource
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHORT, LONG = 1000, 21000


def dram(*options):
    """A row of the DRAM model: its cost a request. `replayed` rows need more requests to settle."""
    return lambda n: ["dram", *options, "--requests", str(n)]


def decode(platform, model, *options):
    return lambda n: ["run", "--platform", platform, "--model", model, "--context", "256", "--quiet", "--json",
                      "--tokens", str(n), *options]


# name: (command line by amount of work, short amount, long amount, unit)
ROWS = {
    "start-up": (dram("--pattern", "seq"), 0, 1, "start"),
    "engine/sequential": (dram("--pattern", "seq", "--replay", "off"), SHORT, LONG, "request"),
    "engine/random": (dram("--pattern", "random", "--replay", "off"), SHORT, LONG, "request"),
    "engine/mix 2:1": (dram("--pattern", "mix:2:1", "--replay", "off"), SHORT, LONG, "request"),
    "engine/1 % load": (dram("--pattern", "seq", "--load", "0.01", "--replay", "off"), SHORT, LONG, "request"),
    "engine/HBM3 sequential": (dram("--standard", "HBM3", "--pattern", "seq", "--replay", "off"), SHORT, LONG, "request"),
    "replay/sequential": (dram("--pattern", "seq"), 1_000_000, 101_000_000, "request"),
    "replay/half load": (dram("--pattern", "seq", "--load", "0.5"), 1_000_000, 41_000_000, "request"),
    "replay/mix 2:1": (dram("--pattern", "mix:2:1"), SHORT, LONG, "request"),
    "platform/h100": (decode("von_neumann_h100", "llama-2-7b"), 1, 3, "token"),
    "platform/rtx4090": (decode("von_neumann_rtx4090", "llama-2-7b", "--dtype", "int8"), 1, 3, "token"),
    "platform/cim_dram": (decode("cim_dram", "llama-2-7b", "--dtype", "int8"), 1, 3, "token"),
}


def instructions(command):
    out = subprocess.run(["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", *command],
                         capture_output=True, text=True, check=True)
    return int(re.search(r"I\s+refs:\s+([\d,]+)", out.stderr).group(1).replace(",", ""))


def user_time(command):
    def once():
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return min(once() for _ in range(3))


def measure(program, name, counted):
    command, short, long, unit = ROWS[name]
    if short == 0:  # the whole of a run that does next to nothing
        line = [program, *command(long)]
        return {"instructions": instructions(line) if counted else None, "ns": 1e9 * user_time(line), "unit": unit}
    few, many = [program, *command(short)], [program, *command(long)]
    per = long - short
    return {"instructions": (instructions(many) - instructions(few)) / per if counted else None,
            "ns": 1e9 * max(0.0, user_time(many) - user_time(few)) / per, "unit": unit}


def figure(v):
    return "-" if v is None else f"{v:,.1f}" if v < 100 else f"{v:,.0f}"


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--memwall", default=os.path.join(ROOT, "build/release/bin/memwall"), help="the program")
    args.add_argument("--only", default="*", help="rows whose name matches, e.g. 'engine/*'")
    args.add_argument("--baseline", default=os.path.join(HERE, "baseline.json"))
    args.add_argument("--times-only", action="store_true", help="do not count instructions (quicker)")
    args.add_argument("--write", action="store_true", help="keep the figures as the baseline")
    args.add_argument("--limit", type=float, help="exit 1 when a row takes more instructions than this times the baseline")
    options = args.parse_args()
    names = [n for n in ROWS if fnmatch.fnmatch(n, options.only)]
    if not names:
        sys.exit(f"no row matches '{options.only}'; there are: {', '.join(ROWS)}")
    counted = not options.times_only
    if counted and shutil.which("valgrind") is None:
        print("valgrind is not installed: times only", file=sys.stderr)
        counted = False
    baseline = {}
    if os.path.exists(options.baseline):
        with open(options.baseline, encoding="utf-8") as f:
            baseline = json.load(f)
    print(f"{'row':<26}{'unit':<9}{'instructions':>16}{'baseline':>16}{'ratio':>8}{'ns':>14}")
    worse = []
    for name in names:
        got = measure(options.memwall, name, counted)
        old = baseline.get(name, {}).get("instructions")
        ratio = got["instructions"] / old if old and got["instructions"] is not None else None
        if options.limit and ratio and ratio > options.limit:
            worse.append(name)
        print(f"{name:<26}{got['unit']:<9}{figure(got['instructions']):>16}{figure(old):>16}"
              f"{'-' if ratio is None else f'{ratio:.3f}':>8}{figure(got['ns']):>14}", flush=True)
        baseline[name] = got
    if options.write:
        partial = options.baseline + ".part"
        with open(partial, "w", encoding="utf-8") as f:
            json.dump({n: {"instructions": baseline[n]["instructions"], "unit": baseline[n]["unit"]}
                       for n in ROWS if n in baseline}, f, indent=1)
            f.write("\n")
        os.replace(partial, options.baseline)
    if worse:
        sys.exit(f"more than {options.limit} times the baseline: {', '.join(worse)}")


if __name__ == "__main__":
    main()
