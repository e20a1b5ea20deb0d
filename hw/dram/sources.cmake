# SPDX-License-Identifier: Apache-2.0
set(DRAM_SOURCES
  dram/address_map.cpp dram/bank_view.cpp dram/channel.cpp dram/channel_choice.cpp dram/channel_commands.cpp
  dram/channel_replay.cpp dram/channel_set.cpp dram/channel_setup.cpp dram/channel_state.cpp dram/channel_time.cpp
  dram/channel_trace.cpp dram/controller.cpp dram/dram.cpp dram/dram_engine.cpp dram/driver.cpp dram/energy.cpp
  dram/memory.cpp dram/replay.cpp dram/rescale.cpp dram/standard.cpp dram/standard_reader.cpp dram/statistics.cpp dram/trace.cpp dram/traffic.cpp)
install(DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/standards DESTINATION ${CMAKE_INSTALL_DATADIR}/memwall/hw/dram)
