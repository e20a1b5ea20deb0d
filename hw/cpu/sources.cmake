# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES cpu/cpu_model.cpp cpu/cpu_params.cpp)
