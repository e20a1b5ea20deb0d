# SPDX-License-Identifier: Apache-2.0
"""Run memwall, sweep it and load what it wrote. Needs nothing but Python's standard library; pandas is used when asked for.

    import memwall
    result = memwall.run(platform="von_neumann_h100", model="llama-65b", phase="decode", batch=1)
    print(result.summary["time_ns"], result.stall_stack_ns)

    table = memwall.sweep("sweep.yaml", out="sweep")          # or a dict in place of the file
    print(table.best("time_ns"))

    frame = memwall.load("sweep").to_pandas()                 # or memwall.load("out") of one run
"""

from __future__ import annotations

import csv as _csv
import json as _json
import os as _os
import shutil as _shutil
import sqlite3 as _sqlite3
import subprocess as _subprocess
import tempfile as _tempfile
from pathlib import Path as _Path

__all__ = ["Error", "BadInput", "DoesNotFit", "Result", "Table", "command", "load", "program", "run", "sweep"]


class Error(RuntimeError):
    """memwall failed; the message is what it said. `code` is its exit code."""

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


class BadInput(Error):
    """Exit code 2: a wrong option, key or value."""


class DoesNotFit(Error):
    """Exit code 3: the model does not fit the platform's memories."""


def program():
    """Path of the memwall program: $MEMWALL, else the one installed with this module, else the one in PATH."""
    given = _os.environ.get("MEMWALL")
    if given:
        return given
    for folder in _Path(__file__).resolve().parents:
        candidate = folder / "bin" / "memwall"
        if candidate.is_file() and _os.access(candidate, _os.X_OK):
            return str(candidate)
    found = _shutil.which("memwall")
    if found is None:
        raise Error("the memwall program was not found: put it in PATH or its path into $MEMWALL", 127)
    return found


def command(*arguments):
    """Runs any memwall command and returns what it printed, e.g. command("describe", "platform")."""
    done = _subprocess.run([program(), *map(_text, arguments)], stdout=_subprocess.PIPE, stderr=_subprocess.PIPE, text=True)
    if done.returncode != 0:
        kind = {2: BadInput, 3: DoesNotFit}.get(done.returncode, Error)
        raise kind(done.stderr.strip() or done.stdout.strip(), done.returncode)
    return done.stdout


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict)):
        return _json.dumps(value)
    return str(value)


class Result:
    """One simulated run: result.json, its parts also as attributes (summary, config, layers, ...)."""

    def __init__(self, data, directory=None):
        self.data = data
        self.directory = directory

    def __getattr__(self, name):
        if name.startswith("_") or name == "data":
            raise AttributeError(name)
        try:
            return self.data[name]
        except KeyError:
            raise AttributeError(f"the result has no '{name}'; it has {', '.join(self.data)}") from None

    def __getitem__(self, key):
        return self.data[key]

    def __repr__(self):
        s = self.data.get("summary", {})
        return f"<memwall.Result {self.data.get('model')} on {self.data.get('platform')}: {s.get('time_ns')} ns>"


def _number(text):
    if text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


class Table:
    """The results of a sweep, a dict a point. Short names work where they are unique: "time_ns" for "summary.time_ns",
    "workload.batch" for "axis.workload.batch". Rows are read from results.csv as they are asked for."""

    def __init__(self, directory):
        self.directory = _Path(directory)
        with open(self._csv, newline="") as f:
            self.columns = next(_csv.reader(f))

    @property
    def _csv(self):
        return self.directory / "results.csv"

    @property
    def database(self):
        """Path of sweep.sqlite; its tables are described in the documentation of sweeps."""
        return self.directory / "sweep.sqlite"

    def column_name(self, name):
        for full in (name, "summary." + name, "axis." + name):
            if full in self.columns:
                return full
        raise KeyError(f"no column '{name}'; there are {', '.join(self.columns)}")

    def __iter__(self):
        with open(self._csv, newline="") as f:
            for row in _csv.DictReader(f):
                yield {key: value if key in ("key", "command", "message") else _number(value) for key, value in row.items()}

    def __len__(self):
        with open(self._csv, newline="") as f:
            return sum(1 for _ in _csv.reader(f)) - 1

    def __getitem__(self, name):
        """All values of a column."""
        full = self.column_name(name)
        return [row[full] for row in self]

    def ok(self):
        """The rows that have a result."""
        return [row for row in self if row["status"] == "ok"]

    def best(self, name, largest=False):
        """The row with the smallest (or largest) value of a column."""
        full = self.column_name(name)
        rows = [row for row in self.ok() if row[full] is not None]
        if not rows:
            raise Error("no point of the sweep has a result", 0)
        return (max if largest else min)(rows, key=lambda row: row[full])

    def pareto(self, *names):
        """The rows that no other row beats in all of the columns (smaller is better)."""
        keys = [self.column_name(n) for n in names]
        rows = sorted((row for row in self.ok() if all(row[k] is not None for k in keys)), key=lambda r: [r[k] for k in keys])
        front = []
        for row in rows:
            if not any(all(f[k] <= row[k] for k in keys) for f in front):
                front.append(row)
        return front

    def config(self, point):
        """The full resolved configuration of a point; None where the table has no database (what compare --sweep writes)."""
        if not self.database.is_file():
            return None
        with _sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as db:
            row = db.execute("SELECT config FROM point_configs WHERE point = ?", (point,)).fetchone()
        db.close()
        return None if row is None else _json.loads(row[0])

    def to_pandas(self):
        """A pandas.DataFrame (pandas must be installed)."""
        import pandas

        return pandas.read_csv(self._csv)


def run(platform, model=None, trace=None, set=None, out=None, **workload):
    """Simulates one point. `workload`: phase, batch, prompt, context, tokens, dtype, and other options of `memwall run` with
    '_' for '-' (transfer_bytes=...); a value of True gives a bare flag. `set`: {"gpu.sms": 100, ...}. `out` keeps the files.
    Raises BadInput, DoesNotFit or Error."""
    arguments = ["run", "--platform", _text(platform), "--json", "--quiet"]
    if model is not None:
        arguments += ["--model", _text(model)]
    if trace is not None:
        arguments += ["--trace", _text(trace)]
    for key, value in workload.items():
        arguments += ["--" + key.replace("_", "-")] + ([] if value is True else [_text(value)])
    for key, value in (set or {}).items():
        arguments += ["--set", f"{key}={_text(value)}"]
    with _tempfile.TemporaryDirectory(prefix="memwall-") as scratch:
        folder = _Path(out) if out is not None else _Path(scratch) / "out"
        command(*arguments, "--out", folder)
        return Result(_json.loads((folder / "result.json").read_text()), folder if out is not None else None)


def sweep(spec, out, jobs=None, executor=None, optimise=None, budget=None, **options):
    """Runs a sweep, or goes on with one, and returns its Table. `spec`: a sweep file or a dict with the same contents.
    `optimise`: objectives ("time,energy" or a list) with a `budget` of points. Other options as of `memwall sweep`."""
    out = _Path(out)
    if isinstance(spec, dict):
        out.mkdir(parents=True, exist_ok=True)
        file = out / "given.json"
        partial = out / ".given.json.tmp"
        partial.write_text(_json.dumps(spec, indent=1))
        _os.replace(partial, file)
        spec = file
    arguments = ["sweep", str(spec), "--out", str(out), "--quiet"]
    for name, value in {"jobs": jobs, "executor": executor, "budget": budget, **options}.items():
        if value is None or value is False:
            continue
        if isinstance(value, dict):  # set={"gpu.sms": 100}
            for key, v in value.items():
                arguments += ["--" + name.replace("_", "-"), f"{key}={_text(v)}"]
        else:
            arguments += ["--" + name.replace("_", "-")] + ([] if value is True else [_text(value)])
    if optimise is not None:
        arguments += ["--optimise", optimise if isinstance(optimise, str) else ",".join(optimise)]
    command(*arguments)
    return load(out)


def load(directory):
    """What memwall wrote to `directory`: a Table of a sweep, or the Result of a run."""
    directory = _Path(directory)
    if (directory / "results.csv").is_file():
        return Table(directory)
    file = directory / "result.json" if directory.is_dir() else directory
    if not file.is_file():
        raise FileNotFoundError(f"{directory} holds neither results.csv of a sweep nor result.json of a run")
    return Result(_json.loads(file.read_text()), file.parent)
