# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES npu/mapper.cpp npu/npu_model.cpp npu/npu_params.cpp npu/systolic.cpp)
