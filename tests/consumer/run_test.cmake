# SPDX-License-Identifier: Apache-2.0
# Installs memwall into a scratch prefix, builds projects outside against it, runs them.
file(REMOVE_RECURSE ${WORK})
foreach(step
    "${CMAKE_COMMAND};--install;${BUILD};--prefix;${WORK}/prefix"
    "${CMAKE_COMMAND};-S;${SOURCE};-B;${WORK}/build;-G;Ninja;-DCMAKE_PREFIX_PATH=${WORK}/prefix;-DCMAKE_BUILD_TYPE=Release;-DCMAKE_CXX_FLAGS=${FLAGS};-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
    "${CMAKE_COMMAND};--build;${WORK}/build"
    "${WORK}/build/consumer"
    "${CMAKE_COMMAND};-S;${SOURCE}/dram;-B;${WORK}/dram;-G;Ninja;-DCMAKE_PREFIX_PATH=${WORK}/prefix;-DCHECKER_ROOT=${CHECKER_ROOT};-DCMAKE_BUILD_TYPE=Release;-DCMAKE_CXX_FLAGS=${FLAGS};-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}"
    "${CMAKE_COMMAND};--build;${WORK}/dram"
    "${WORK}/dram/dram_consumer"
    "${WORK}/prefix/bin/memwall;run;--platform;von_neumann_cpu;--model;gpt-2;--context;64;--quiet")
  execute_process(COMMAND ${step} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${step} failed with ${status}:\n${output}")
  endif()
endforeach()
