#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one model on one platform and prints where the time goes."""

import memwall

result = memwall.run(platform="von_neumann_h100", model="gpt-2", phase="decode", context=512)
for cause, ns in sorted(result.stall_stack_ns.items(), key=lambda item: -item[1]):
    print(f"{cause:24} {ns:14.1f} ns")
