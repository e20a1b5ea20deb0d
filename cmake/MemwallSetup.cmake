# SPDX-License-Identifier: Apache-2.0
# Compiler settings, dependencies and the helpers that rooms use.
include(GNUInstallDirs)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

# SystemC's ABI is that of the C++ standard it was built with; Debian's is C++17.
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)  # a SystemC that lies elsewhere than the system's is found when installed, too
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
set(CMAKE_BUILD_WITH_INSTALL_RPATH OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need these two to be cacheable.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()

add_library(memwall_warnings INTERFACE)
target_compile_options(memwall_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -fno-semantic-interposition)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CCACHE_PROGRAM)
  target_compile_options(memwall_warnings INTERFACE -fpch-preprocess)
endif()

if(MEMWALL_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

if(MEMWALL_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "MEMWALL_FUZZ needs clang: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

include(MemwallDependencies)

# One library a room. Shared, so that components that register themselves are never dropped by the linker.
#   memwall_room(NAME hw SOURCES a.cpp ... LINK memwall::models ...)
function(memwall_room)
  cmake_parse_arguments(ROOM "" "NAME" "SOURCES;LINK;PRIVATE_LINK;PCH" ${ARGN})
  add_library(memwall_${ROOM_NAME} SHARED ${ROOM_SOURCES})
  add_library(memwall::${ROOM_NAME} ALIAS memwall_${ROOM_NAME})
  # A room's calls of its own functions are bound when it is linked: nothing replaces them, and looking each up by name
  # when the program starts took longer than a small run.
  target_link_options(memwall_${ROOM_NAME} PRIVATE -Wl,-Bsymbolic-functions)
  set_target_properties(memwall_${ROOM_NAME} PROPERTIES EXPORT_NAME ${ROOM_NAME}
                        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} INSTALL_RPATH "$ORIGIN")
  target_include_directories(memwall_${ROOM_NAME} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/memwall>)
  target_link_libraries(memwall_${ROOM_NAME} PUBLIC ${ROOM_LINK} PRIVATE ${ROOM_PRIVATE_LINK}
                        $<BUILD_INTERFACE:memwall_warnings>)
  if(ROOM_PCH)
    target_precompile_headers(memwall_${ROOM_NAME} PRIVATE ${ROOM_PCH})
  endif()
  set_property(GLOBAL APPEND PROPERTY MEMWALL_ROOMS memwall_${ROOM_NAME})
endfunction()

# Files of vectorised loops that are to give the same bits on every machine: no fused multiply-add, and none of what
# libm and the floating-point flags ask for beyond values, which would keep loops scalar.
function(exact_loops)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -ffp-contract=off -fno-math-errno -fno-trapping-math)
  set_property(SOURCE ${ARGN} PROPERTY SKIP_PRECOMPILE_HEADERS ON)
endfunction()

# One test program a folder or topic; every case is its own process (SystemC: one simulation a process).
#   memwall_test(NAME dram_engine SOURCES ... LINK memwall::hw LABELS dram [SLOW])
# SLOW: the whole program gets the label `slow` and stays out of the default run.
function(memwall_test)
  cmake_parse_arguments(TEST "SLOW" "NAME;TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  if(MEMWALL_SANITIZE)
    math(EXPR TEST_TIMEOUT "10 * ${TEST_TIMEOUT}")
  endif()
  if(TEST_SLOW)
    set(TEST_LABELS slow)  # one label a test: discovery before the test run does not take lists
  endif()
  add_executable(test_${TEST_NAME} ${TEST_SOURCES})
  target_link_libraries(test_${TEST_NAME} PRIVATE ${TEST_LINK} memwall_test_support memwall_warnings)
  target_precompile_headers(test_${TEST_NAME} REUSE_FROM memwall_test_support)
  target_compile_options(test_${TEST_NAME} PRIVATE $<$<CONFIG:Release>:-O1>)
  set_target_properties(test_${TEST_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests
                        POSITION_INDEPENDENT_CODE OFF)  # as the precompiled header
  gtest_discover_tests(test_${TEST_NAME} DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${TEST_LABELS} TIMEOUT ${TEST_TIMEOUT})
endfunction()
