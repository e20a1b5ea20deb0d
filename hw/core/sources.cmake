# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES core/checked_plan.cpp core/core_model.cpp core/plan_accesses.cpp core/stream_core.cpp core/tensor_cache.cpp core/traffic_generator.cpp)
