# SPDX-License-Identifier: Apache-2.0
# Looks for a CUDA compiler and enables the language when it works. BenchOptions.cmake includes this.
# Order: CMAKE_CUDA_COMPILER, CUDACXX, PATH, CUDA_HOME, the usual folder, the nvcc wheel in BENCH_SCALE_VENV.
#
#   BENCH_CUDA_USABLE  TRUE when CUDA code can be compiled here
#   BENCH_CUDA_TEXT    the compiler's version, or why not
# Enabling the language costs seconds, so AUTO does it only when the tree has CUDA code to compile.
include_guard(GLOBAL)
include(BenchVenv)
include(CheckLanguage)

set(BENCH_CUDA_USABLE FALSE)
file(GLOB_RECURSE bench_cuda_sources
  "${CMAKE_SOURCE_DIR}/kernels/*.cu" "${CMAKE_SOURCE_DIR}/src/*.cu" "${CMAKE_SOURCE_DIR}/jobs/*.cu")
if(BENCH_MODE_CUDA STREQUAL "AUTO" AND NOT bench_cuda_sources)
  set(BENCH_CUDA_TEXT "no CUDA source in this tree")
  return()
endif()

if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(BENCH_NVCC nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda "${BENCH_VENV_SITE}/nvidia/cu13"
    PATH_SUFFIXES bin)
  mark_as_advanced(BENCH_NVCC)
  if(BENCH_NVCC)
    set(CMAKE_CUDA_COMPILER "${BENCH_NVCC}")
  endif()
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90a)  # Ampere and its successors by PTX; Hopper with its own instructions
endif()

check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  set(BENCH_CUDA_TEXT "no working nvcc")
  return()
endif()
enable_language(CUDA)
find_package(CUDAToolkit QUIET)
if(NOT TARGET CUDA::cudart)
  set(BENCH_CUDA_TEXT "nvcc ${CMAKE_CUDA_COMPILER_VERSION} is there, but not its run-time library")
  return()
endif()
set(BENCH_CUDA_USABLE TRUE)
set(BENCH_CUDA_TEXT "${CMAKE_CUDA_COMPILER_VERSION}")
