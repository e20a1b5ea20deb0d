#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ADC bits x array size x accuracy: the sweep of adc_array.yaml, joined with the signal-to-noise ratio that each design's
macro computes a 1024 x 1024 layer with (`memwall accuracy`).      python3 adc_array_accuracy.py [OUT]"""

import csv
import json
import sys
from pathlib import Path

import memwall

here = Path(__file__).resolve().parent
out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/adc_array")
table = memwall.sweep(here / "adc_array.yaml", out=out)
rows = []
for point in table.ok():
    bits, size = point["axis.cim.macro.adc_bits"], point["axis.cim.macro.rows"]
    words = memwall.command("accuracy", "--platform", here / "analog_array.yaml", "--set", f"cim.macro.adc_bits={bits}",
                            "--set", f"cim.macro.rows={size}", "--columns", 64, "--json")
    preset = next(p for p in json.loads(words)["macros"][0]["points"] if p["varied"] == "preset")
    rows.append({"adc_bits": bits, "rows": size, "time_per_token_ns": point["summary.time_per_token_ns"],
                 "energy_per_token_pj": point["summary.energy_per_token_pj"], "snr_db": preset["snr_db"]})
with open(out / "accuracy.csv", "w", newline="") as f:
    writer = csv.DictWriter(f, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
for row in rows:
    print(*row.values(), sep="\t")
