# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES dram/address_map.cpp dram/energy.cpp dram/standard.cpp)
install(DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/standards DESTINATION ${CMAKE_INSTALL_DATADIR}/memwall/hw/dram)
