# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES
  common/at_initiator.cpp common/at_target.cpp common/statistics.cpp common/systemc.cpp common/transfer.cpp)
