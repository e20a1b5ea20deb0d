list(APPEND HW_SOURCES gpu/gpu_model.cpp)
