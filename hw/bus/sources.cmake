# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES
  bus/arbiter.cpp bus/arbiters/age.cpp bus/arbiters/fixed_priority.cpp bus/arbiters/round_robin.cpp bus/arbiters/weighted.cpp
  bus/bus.cpp bus/share_channel.cpp)
