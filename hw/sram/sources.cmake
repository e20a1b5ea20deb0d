# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES sram/sram.cpp)
