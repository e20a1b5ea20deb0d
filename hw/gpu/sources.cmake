# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES gpu/gpu_model.cpp gpu/gpu_params.cpp)
