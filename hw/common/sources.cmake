# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES
  common/at_initiator.cpp common/at_target.cpp common/statistics.cpp common/systemc.cpp common/transfer.cpp
  common/core_model.cpp common/plan_accesses.cpp common/sram.cpp common/stream_core.cpp common/tensor_cache.cpp
  common/traffic_generator.cpp)
