# SPDX-License-Identifier: Apache-2.0
set(DRAM_SOURCES
  dram/address_map.cpp dram/bank_view.cpp dram/channel_trace.cpp dram/controller.cpp dram/dram.cpp dram/dram_engine.cpp
  dram/driver.cpp dram/energy.cpp dram/memory.cpp dram/rescale.cpp dram/standard.cpp dram/standard_reader.cpp dram/statistics.cpp
  dram/trace.cpp dram/traffic.cpp
  dram/engine/candidates.cpp dram/engine/channel.cpp dram/engine/channel_choice.cpp dram/engine/channel_commands.cpp
  dram/engine/channel_fit.cpp dram/engine/channel_record.cpp dram/engine/channel_replay.cpp dram/engine/channel_set.cpp dram/engine/channel_setup.cpp
  dram/engine/channel_state.cpp dram/engine/channel_time.cpp dram/engine/policy.cpp dram/engine/replay.cpp
  # The rules of a controller, a file each.
  dram/engine/schedulers/fcfs.cpp dram/engine/schedulers/frfcfs.cpp dram/engine/schedulers/frfcfs_cap.cpp
  dram/engine/page_policies/adaptive.cpp dram/engine/page_policies/closed.cpp dram/engine/page_policies/open.cpp
  dram/engine/page_policies/timeout.cpp
  dram/engine/refreshes/all_bank.cpp dram/engine/refreshes/none.cpp dram/engine/refreshes/per_bank.cpp
  dram/engine/queues/active_buffer.cpp dram/engine/queues/bank.cpp dram/engine/queues/direction.cpp
  dram/engine/queues/joint.cpp
  dram/engine/front_ends/any.cpp dram/engine/front_ends/one_a_clock.cpp)
install(DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/standards DESTINATION ${CMAKE_INSTALL_DATADIR}/memwall/hw/dram)
