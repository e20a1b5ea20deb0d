# SPDX-License-Identifier: Apache-2.0
# One token of a prompt is one pass over it, and so is what fixes the input ranges on it: the same time and energy. With
# ranges by vector there is nothing to fix.
execute_process(COMMAND ${MEMWALL} infer --model ${MODEL} --random-weights --platform cim_sram --prompt "It was" --tokens 1 --json
  OUTPUT_VARIABLE fixed COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${MEMWALL} infer --model ${MODEL} --random-weights --platform cim_sram --prompt "It was" --tokens 1 --json
  --set cim.input_range=vector OUTPUT_VARIABLE by_vector COMMAND_ERROR_IS_FATAL ANY)
string(JSON tokens GET "${fixed}" calibration tokens)
if(NOT tokens EQUAL 6)
  message(FATAL_ERROR "six bytes of a prompt, but ${tokens} tokens")
endif()
foreach(figure time_ns energy_pj)
  string(JSON once GET "${fixed}" calibration ${figure})
  string(JSON pass GET "${fixed}" simulated ${figure})
  if(NOT once STREQUAL pass OR once LESS_EQUAL 0)
    message(FATAL_ERROR "${figure}: ${once} to fix ranges, ${pass} for a pass over the same tokens")
  endif()
endforeach()
string(JSON none ERROR_VARIABLE missing GET "${by_vector}" calibration)
if(NOT missing)
  message(FATAL_ERROR "ranges by vector are not fixed: ${none}")
endif()
message(STATUS "alike")
