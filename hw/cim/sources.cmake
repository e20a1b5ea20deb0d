# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES cim/macro.cpp cim/circuit.cpp cim/products.cpp cim/digital_sram.cpp cim/analog_crossbar.cpp cim/analog_array.cpp cim/cells.cpp
     cim/bank_sequencer.cpp cim/dram_bank.cpp cim/dram_bank_array.cpp cim/mapping.cpp cim/hierarchy.cpp cim/figures.cpp
     cim/accuracy.cpp cim/validation.cpp cim/cim_model.cpp)
exact_loops(cim/cells.cpp cim/products.cpp cim/dram_bank_array.cpp)
install(DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/presets ${CMAKE_CURRENT_LIST_DIR}/data DESTINATION ${CMAKE_INSTALL_DATADIR}/memwall/hw/cim)
