# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)
get_property(rooms GLOBAL PROPERTY MEMWALL_ROOMS)
# Each room is an export of its own, so that a project can load one without those above it.
foreach(room ${rooms})
  string(REPLACE "memwall_" "memwall-" export ${room})
  install(TARGETS ${room} EXPORT ${export} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT ${export} NAMESPACE memwall:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/memwall)
endforeach()
install(DIRECTORY hw models traces platforms DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/memwall FILES_MATCHING PATTERN "*.h")
configure_package_config_file(cmake/memwallConfig.cmake.in ${PROJECT_BINARY_DIR}/memwallConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/memwall)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/memwallConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/memwallConfig.cmake ${PROJECT_BINARY_DIR}/memwallConfigVersion.cmake
  cmake/MemwallDependencies.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/memwall)
