# SPDX-License-Identifier: Apache-2.0
# Finds what memwall links with; shared by the build and by the installed package.
find_package(Threads REQUIRED)
find_package(PkgConfig QUIET)

if(NOT TARGET SystemC::systemc)
  find_package(SystemCLanguage CONFIG QUIET)  # SystemC 3.x and CMake builds of 2.3.x
endif()
if(NOT TARGET SystemC::systemc)
  if(PkgConfig_FOUND)
    pkg_check_modules(SystemC QUIET IMPORTED_TARGET GLOBAL systemc)
  endif()
  if(NOT TARGET PkgConfig::SystemC)
    message(FATAL_ERROR "SystemC was not found. Debian: apt install libsystemc-dev. "
                        "Own build: -DCMAKE_PREFIX_PATH=<where SystemCLanguageConfig.cmake lies>.")
  endif()
  add_library(SystemC::systemc ALIAS PkgConfig::SystemC)
elseif(SystemC_CXX_STANDARD AND NOT SystemC_CXX_STANDARD EQUAL 17)
  message(FATAL_ERROR "memwall is C++17, this SystemC was built as C++${SystemC_CXX_STANDARD}: build SystemC with CMAKE_CXX_STANDARD=17.")
endif()

find_package(yaml-cpp REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp INTERFACE IMPORTED)
  set_target_properties(yaml-cpp::yaml-cpp PROPERTIES INTERFACE_LINK_LIBRARIES yaml-cpp)
endif()
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost 1.74 REQUIRED)
