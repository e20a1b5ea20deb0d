# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES dram/address_map.cpp dram/energy.cpp dram/standard.cpp)
