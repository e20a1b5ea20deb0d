# SPDX-License-Identifier: Apache-2.0
"""The Python module against the memwall program with a stand-in for the simulation. $MEMWALL, $FAKE_RUN: the programs."""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools" / "python"))
import memwall  # noqa: E402

SPEC = {
    "base": {"platform": "p", "model": "m"},
    "axes": {"workload.batch": [1, 2, 4], "fake.bandwidth": {"powers_of_two": [1, 8]}},
}


class Sweep(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = Path(self.folder.name) / "sweep"
        self.fake = os.environ["FAKE_RUN"]

    def test_three_lines(self):
        table = memwall.sweep(SPEC, out=self.out, jobs=2, runner=self.fake)
        best = table.best("time_ns")
        self.assertEqual((best["axis.workload.batch"], best["axis.fake.bandwidth"]), (1, 8))
        self.assertEqual(best["summary.time_ns"], 125000)  # 1e6 * 1 / 8
        self.assertEqual(len(table), 12)
        self.assertEqual(table["workload.batch"][-1], 4)
        self.assertEqual(table.config(3)["fake"]["bandwidth"], 8)

    def test_loaded_again_and_pareto(self):
        memwall.sweep(SPEC, out=self.out, runner=self.fake)
        table = memwall.load(self.out)
        # Energy 5 batch + 3 bandwidth, time batch / bandwidth: at batch 1 every bandwidth is a trade, larger batches lose.
        front = table.pareto("time_ns", "energy_pj")
        self.assertEqual([r["axis.workload.batch"] for r in front], [1, 1, 1, 1])

    def test_search_and_overrides(self):
        table = memwall.sweep(SPEC, out=self.out, runner=self.fake, optimise=["time", "energy"], budget=7, set={"fake.latency": 2})
        self.assertEqual(len(table), 7)
        self.assertEqual(min(table["time_ns"]), 127000)

    def test_errors(self):
        with self.assertRaises(memwall.BadInput) as raised:
            memwall.sweep({**SPEC, "axs": {}}, out=self.out, runner=self.fake)
        self.assertIn("did you mean 'axes'", str(raised.exception))
        with self.assertRaises(FileNotFoundError):
            memwall.load(self.folder.name)
        with self.assertRaises(KeyError):
            memwall.sweep(SPEC, out=self.out, runner=self.fake).best("tiem")


class Run(unittest.TestCase):
    def setUp(self):
        self.before = os.environ["MEMWALL"]
        os.environ["MEMWALL"] = os.environ["FAKE_RUN"]
        self.addCleanup(os.environ.__setitem__, "MEMWALL", self.before)

    def test_run(self):
        result = memwall.run(platform="p", model="m", batch=2, set={"fake.bandwidth": 4})
        self.assertEqual(result.summary["time_ns"], 500000)
        self.assertEqual(result["platform"], "p")
        with self.assertRaises(AttributeError):
            result.sumary

    def test_kept_and_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            memwall.run(platform="p", model="m", out=folder + "/o")
            self.assertEqual(memwall.load(folder + "/o").summary, json.loads(Path(folder, "o/result.json").read_text())["summary"])

    def test_exit_codes(self):
        for code, kind in ((1, memwall.Error), (2, memwall.BadInput), (3, memwall.DoesNotFit)):
            with self.assertRaises(kind) as raised:
                memwall.run(platform="p", model="m", set={"fake.exit": code})
            self.assertEqual(raised.exception.code, code)
            self.assertIn(f"ends with {code}", str(raised.exception))


class Comparison(unittest.TestCase):
    def test_what_compare_sweeps_is_a_table(self):
        mini = Path(__file__).resolve().parents[2] / "platforms" / "data" / "mini"
        with tempfile.TemporaryDirectory() as folder:
            memwall.command("compare", "--platform", "cim_sram", "--model", mini, "--context", 64, "--sweep", "batch=1,2",
                            "--out", folder, "--quiet")
            table = memwall.load(folder)
            self.assertEqual(table["axis.batch"], [1, 2])
            self.assertEqual(table["status"], ["ok", "ok"])
            whole = json.loads(Path(folder, "cim_sram", "batch-2", "result.json").read_text())
            self.assertEqual(table["time_ns"][1], whole["summary"]["time_ns"])
            self.assertIsNone(table.config(0))


if __name__ == "__main__":
    unittest.main()
