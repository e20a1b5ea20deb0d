// SPDX-License-Identifier: Apache-2.0
// Loops that become vector instructions.
#pragma once

/// One copy of a loop for each instruction set (AVX-512, AVX2, the plain one), chosen when the program is loaded. What
/// a loop computes must not depend on it: such files are compiled without fused multiply-add (cmake: exact_loops()).
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MEMWALL_EACH_CPU __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MEMWALL_EACH_CPU
#endif
