# SPDX-License-Identifier: Apache-2.0
list(APPEND HW_SOURCES
  bus/arbiter.cpp bus/arbiters/age.cpp bus/arbiters/fixed_priority.cpp bus/arbiters/round_robin.cpp bus/arbiters/weighted.cpp
  bus/topology.cpp bus/topologies/crossbar.cpp bus/topologies/mesh.cpp bus/topologies/ring.cpp bus/topologies/shared.cpp
  bus/bus.cpp bus/bus_flow.cpp bus/bus_params.cpp bus/bus_report.cpp bus/link.cpp bus/link_params.cpp bus/share_channel.cpp)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/links.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/memwall/hw/bus)
