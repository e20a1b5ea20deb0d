#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast memwall is, row by row, beside a stored baseline.

    tools/bench/bench.py                        all rows with build/release/bin/memwall
    tools/bench/bench.py --quick                those that take seconds
    tools/bench/bench.py --only 'engine/*'      some rows
    tools/bench/bench.py --against OTHER        another program, e.g. of a former tree, in pairs with this one
    tools/bench/bench.py --write                the figures become the baseline

A row is run twice, with little and with more work: the difference over the work between is the cost of the work
itself, without start-up. Instructions are counted by valgrind's cachegrind, so a busy machine gives the same figures;
times are user time, the least of several.
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
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SCRATCH = tempfile.TemporaryDirectory(prefix="memwall-bench-")


class Row:
    """`command(n)` does n units of work; `few` 0: all of `command(many)` is the unit."""

    def __init__(self, name, command, few, many, unit, quick=True):
        self.name, self.command, self.few, self.many, self.unit, self.quick = name, command, few, many, unit, quick


def dram(*options):
    return lambda n: ["dram", *options, "--requests", str(n)]


def run(platform, model, *options):
    return ["run", "--platform", platform, "--model", model, "--quiet", "--replay", "on", *options]


def decode(platform, model, *options):
    """n tokens."""
    return lambda n: run(platform, model, "--context", "256", "--tokens", str(n), *options)


def layers(platform, model, *options):
    """A token, or a prompt, of a model cut to n layers."""
    def command(n):
        folder = os.path.join(SCRATCH.name, f"{model}-{n}")
        if not os.path.isdir(folder):
            with open(os.path.join(ROOT, "models", model, "config.json"), encoding="utf-8") as f:
                config = json.load(f)
            key = next(k for k in ("num_hidden_layers", "n_layer", "num_layers") if k in config)
            config[key] = n
            os.makedirs(folder)
            with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
                json.dump(config, f)
        return run(platform, folder, *options)
    return command


SHORT, LONG = 1000, 21000
TINY = os.path.join(ROOT, "traces", "samples", "tiny-decode.jsonl")
CONTEXT = ("--context", "256")

ROWS = [
    # A run that does next to nothing.
    Row("start-up/version", lambda n: ["--version"], 0, 1, "start"),
    Row("start-up/dram", dram("--pattern", "seq"), 0, 1, "start"),
    Row("start-up/run", lambda n: ["run", "--platform", "von_neumann_h100", "--trace", TINY, "--quiet"], 0, 1, "start"),
    # The DRAM engine by pattern, every command simulated.
    Row("engine/sequential", dram("--pattern", "seq", "--replay", "off"), SHORT, LONG, "request"),
    Row("engine/random", dram("--pattern", "random", "--replay", "off"), SHORT, LONG, "request"),
    Row("engine/mix 2:1", dram("--pattern", "mix:2:1", "--replay", "off"), SHORT, LONG, "request"),
    Row("engine/1 % load", dram("--pattern", "seq", "--load", "0.01", "--replay", "off"), SHORT, LONG, "request"),
    Row("engine/HBM3 sequential", dram("--standard", "HBM3", "--pattern", "seq", "--replay", "off"), SHORT, LONG,
        "request"),
    # With exact replay.
    Row("replay/sequential", dram("--pattern", "seq"), 1_000_000, 101_000_000, "request"),
    Row("replay/half load", dram("--pattern", "seq", "--load", "0.5"), 1_000_000, 41_000_000, "request"),
    Row("replay/1 % load", dram("--pattern", "seq", "--load", "0.01"), 100_000, 4_100_000, "request"),
    Row("replay/mix 2:1", dram("--pattern", "mix:2:1"), 1_000_000, 41_000_000, "request"),
    # A layer of a decode step, platform by platform.
    Row("platform/h100", layers("von_neumann_h100", "llama-2-7b", *CONTEXT), 1, 3, "layer"),
    Row("platform/rtx4090", layers("von_neumann_rtx4090", "llama-2-7b", *CONTEXT, "--dtype", "int8"), 1, 3, "layer"),
    Row("platform/m2", layers("von_neumann_m2", "llama-2-7b", *CONTEXT, "--dtype", "int4"), 1, 3, "layer"),
    Row("platform/ryzen7950x", layers("von_neumann_ryzen7950x", "llama-2-7b", *CONTEXT, "--dtype", "int4"), 1, 3,
        "layer"),
    Row("platform/i9_13900k", layers("von_neumann_i9_13900k", "llama-2-7b", *CONTEXT, "--dtype", "int4"), 1, 3, "layer",
        quick=False),
    Row("platform/npu_trainium", layers("npu_trainium", "llama-2-7b", *CONTEXT), 1, 3, "layer"),
    Row("platform/cim_dram", layers("cim_dram", "llama-2-7b", *CONTEXT, "--dtype", "int8"), 1, 3, "layer"),
    Row("platform/hybrid_gpu_aim", layers("hybrid_gpu_aim", "llama-2-7b", *CONTEXT), 1, 3, "layer"),
    Row("platform/cim_sram_digital_gpt3",
        layers("cim_sram_digital_gpt3", "gpt-3-175b", *CONTEXT, "--dtype", "int8"), 1, 2, "layer", quick=False),
    # Workloads on one platform.
    Row("workload/65B token", lambda n: run("von_neumann_h100", "llama-65b", "--dtype", "int4"), 0, 1, "run",
        quick=False),
    Row("workload/65B prompt of 2048", layers("von_neumann_h100", "llama-65b", "--dtype", "int4", "--phase", "prefill",
                                              "--prompt", "2048"), 1, 3, "layer", quick=False),
    Row("workload/line by line", decode("von_neumann_h100", "gpt-2", "--transfer-bytes", "burst"), 0, 1, "run",
        quick=False),
    # How the cost of one more grows.
    Row("tokens/1 to 2", decode("von_neumann_h100", "llama-2-7b"), 1, 2, "token"),
    Row("tokens/4 to 8", decode("von_neumann_h100", "llama-2-7b"), 4, 8, "token", quick=False),
    Row("layers/1 to 2", layers("von_neumann_h100", "llama-65b", *CONTEXT, "--dtype", "int4"), 1, 2, "layer"),
    Row("layers/8 to 16", layers("von_neumann_h100", "llama-65b", *CONTEXT, "--dtype", "int4"), 8, 16, "layer"),
    Row("layers/40 to 80", layers("von_neumann_h100", "llama-65b", *CONTEXT, "--dtype", "int4"), 40, 80, "layer",
        quick=False),
    *[Row(f"experts/batch {batch}", layers("von_neumann_h100", "qwen3-30b-a3b", *CONTEXT, "--batch", str(batch)), 1, 3,
          "layer", quick=batch == 1) for batch in (1, 4, 8, 16, 64)],
    *[Row(f"devices/{name}", layers(f"von_neumann_{name}", "llama-2-70b", *CONTEXT), 1, 3, "layer")
      for name in ("h100x2", "h100x4", "h100x8", "b200x8")],
]


def ended_well(command):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")


def instructions(command):
    counter = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    out = subprocess.run([*counter, *command],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    found = re.search(r"I\s+refs:\s+([\d,]+)", out.stderr)
    if out.returncode != 0 or found is None:
        sys.exit(f"exit code {out.returncode} under valgrind: {' '.join(command)}\n{out.stderr}")
    return int(found.group(1).replace(",", ""))


def user_time(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    ended_well(command)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def measure(programs, row, counted, times):
    """Instructions and nanoseconds a unit of each program, run in turns."""
    def of_each(what):
        few = [what([p, *row.command(row.few)]) if row.few else 0 for p in programs]
        many = [what([p, *row.command(row.many)]) for p in programs]
        return [max(0.0, m - f) / (row.many - row.few) for f, m in zip(few, many)]
    counts = of_each(instructions) if counted else [None] * len(programs)
    least = [float("inf")] * len(programs)
    for _ in range(times):
        least = [min(a, b) for a, b in zip(least, of_each(user_time))]
    return [{"instructions": c, "ns": 1e9 * t if times else None} for c, t in zip(counts, least)]


def figure(v):
    return "-" if v is None else f"{v:,.1f}" if v < 100 else f"{v:,.0f}"


def ratio(new, old):
    return None if not old or new is None else new / old


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--memwall", default=os.path.join(ROOT, "build/release/bin/memwall"), help="the program")
    args.add_argument("--against", help="another program, beside which it is measured instead of the baseline")
    args.add_argument("--only", default="*", help="rows whose name matches, e.g. 'engine/*'")
    args.add_argument("--quick", action="store_true", help="rows that take seconds")
    args.add_argument("--times", type=int, default=3, help="runs of which the fastest counts; 0: no times")
    args.add_argument("--times-only", action="store_true", help="do not count instructions (quicker)")
    args.add_argument("--list", action="store_true", help="print the rows and their commands")
    args.add_argument("--check", action="store_true", help="run each row's least work once: does it still run?")
    args.add_argument("--baseline", default=os.path.join(HERE, "baseline.json"))
    args.add_argument("--write", action="store_true", help="keep the figures as the baseline")
    args.add_argument("--limit", type=float,
                      help="exit 1 when a row takes more instructions than this times the other's")
    options = args.parse_args()
    rows = [r for r in ROWS if fnmatch.fnmatch(r.name, options.only) and (r.quick or not options.quick)]
    if not rows:
        sys.exit(f"no row matches '{options.only}'; there are: {', '.join(r.name for r in ROWS)}")
    if options.list:
        for r in rows:
            print(f"{r.name}: memwall {' '.join(r.command(r.many))}")
        return
    if options.check:
        for r in rows:
            ended_well([options.memwall, *r.command(r.few or r.many)])
            print(r.name)
        return
    counted = not options.times_only
    if counted and shutil.which("valgrind") is None:
        print("valgrind is not installed: times only", file=sys.stderr)
        counted = False
    baseline = {}
    if os.path.exists(options.baseline):
        with open(options.baseline, encoding="utf-8") as f:
            baseline = json.load(f)
    programs = [options.memwall] + ([options.against] if options.against else [])
    other = "against" if options.against else "baseline"
    print(f"{'row':<32}{'a':<9}{'instructions':>16}{other:>16}{'ratio':>8}{'us':>14}{'ratio':>8}")
    worse = []
    for row in rows:
        got, *rest = measure(programs, row, counted, options.times)
        old = rest[0] if rest else baseline.get(row.name, {})
        cost = ratio(got["instructions"], old.get("instructions"))
        time = ratio(got["ns"], old.get("ns")) if rest else None  # times of another day are no measure
        if options.limit and cost and cost > options.limit:
            worse.append(row.name)
        shown = "-" if got["ns"] is None else format(got["ns"] / 1e3, ",.3f")
        print(f"{row.name:<32}{row.unit:<9}{figure(got['instructions']):>16}{figure(old.get('instructions')):>16}"
              f"{'-' if cost is None else f'{cost:.3f}':>8}{shown:>14}"
              f"{'-' if time is None else f'{time:.3f}':>8}", flush=True)
        if got["instructions"] is not None:
            baseline[row.name] = {"instructions": round(got["instructions"], 2), "unit": row.unit}
        if options.write:  # row by row: what is measured is kept, whatever comes
            partial = options.baseline + ".part"
            with open(partial, "w", encoding="utf-8") as f:
                lines = [f" {json.dumps(r.name)}: {json.dumps(baseline[r.name])}" for r in ROWS if r.name in baseline]
                f.write("{\n" + ",\n".join(lines) + "\n}\n")
            os.replace(partial, options.baseline)
    if worse:
        sys.exit(f"more than {options.limit} times the {other}: {', '.join(worse)}")


if __name__ == "__main__":
    main()
