list(APPEND HW_SOURCES cpu/cpu_model.cpp)
