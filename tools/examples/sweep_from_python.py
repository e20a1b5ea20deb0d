#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a sweep from Python and prints its Pareto front.     python3 sweep_from_python.py [OUT]"""

import sys

import memwall

table = memwall.sweep(
    {
        "base": {"platform": "von_neumann_h100", "model": "gpt-2", "workload": {"phase": "decode", "context": 512}},
        "zip": {"hbm.channels": [80, 160, 240], "hbm.size": ["40 GB", "80 GB", "120 GB"]},
        "axes": {"workload.batch": {"powers_of_two": [1, 8]}},
    },
    out=sys.argv[1] if len(sys.argv) > 1 else "out/sweep_from_python",
)
for row in table.pareto("time_per_token_ns", "energy_per_token_pj"):
    print(row["axis.hbm.channels"], row["axis.workload.batch"], row["summary.time_per_token_ns"], row["summary.energy_per_token_pj"])
