# SPDX-License-Identifier: MIT
#
# The device's check of pieces (cuda_xxh3.cu), apart from the other kernels,
# because the upload needs it and is built without them.
#
# In: a directory whose project has found a CUDA toolkit. Out: CUDA is a
# language there, TTSW_CUDA_ARCHITECTURES says what code is made, and
# $<TARGET_OBJECTS:ttsb_cuda_kernels> is the object, for a static library.
# Included by runtime/ and kernels/, whichever comes first makes the target.
# By default the code is for the oldest supported generation, with its PTX, which
# a driver translates for all later ones; the preset release-cuda has machine
# code for each.
set(TTSW_CUDA_ARCHITECTURES 75 CACHE STRING "CUDA code to generate")
enable_language(CUDA)
if(NOT TARGET ttsb_cuda_kernels)
    add_library(ttsb_cuda_kernels OBJECT ${CMAKE_CURRENT_LIST_DIR}/cuda_xxh3.cu)
    target_include_directories(ttsb_cuda_kernels PRIVATE
        ${CMAKE_CURRENT_LIST_DIR} ${CMAKE_CURRENT_LIST_DIR}/../runtime)
    target_compile_features(ttsb_cuda_kernels PRIVATE cuda_std_17)
    # So that a program in C that links the object needs no libstdc++. Of the
    # code that nvcc adds only the launcher of <<<>>> has a static with a guard,
    # and the kernel is not launched that way.
    target_compile_options(ttsb_cuda_kernels PRIVATE
        -Xcompiler=-fno-exceptions,-fno-threadsafe-statics)
    set_target_properties(ttsb_cuda_kernels PROPERTIES
        CUDA_ARCHITECTURES "${TTSW_CUDA_ARCHITECTURES}"
        POSITION_INDEPENDENT_CODE ON)
endif()
