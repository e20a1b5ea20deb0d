# SPDX-License-Identifier: Apache-2.0
include(CMakePackageConfigHelpers)
get_property(rooms GLOBAL PROPERTY MEMWALL_ROOMS)
install(TARGETS ${rooms} EXPORT memwallTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT memwallTargets NAMESPACE memwall:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/memwall)
install(DIRECTORY hw models traces platforms DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/memwall FILES_MATCHING PATTERN "*.h")
configure_package_config_file(cmake/memwallConfig.cmake.in ${PROJECT_BINARY_DIR}/memwallConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/memwall)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/memwallConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/memwallConfig.cmake ${PROJECT_BINARY_DIR}/memwallConfigVersion.cmake
  cmake/MemwallDependencies.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/memwall)
