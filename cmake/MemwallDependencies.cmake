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

if(NOT TARGET libyaml::libyaml)
  find_path(LIBYAML_INCLUDE_DIR yaml.h)
  find_library(LIBYAML_LIBRARY yaml)
  if(NOT LIBYAML_INCLUDE_DIR OR NOT LIBYAML_LIBRARY)
    message(FATAL_ERROR "libyaml was not found. Debian: apt install libyaml-dev.")
  endif()
  add_library(libyaml::libyaml UNKNOWN IMPORTED)
  set_target_properties(libyaml::libyaml PROPERTIES IMPORTED_LOCATION ${LIBYAML_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${LIBYAML_INCLUDE_DIR})
endif()
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt REQUIRED)
find_package(Boost 1.74 REQUIRED)
