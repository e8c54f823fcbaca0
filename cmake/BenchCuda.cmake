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

if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90a)  # Ampere and its successors by PTX; Hopper with its own instructions
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(NOT DEFINED ENV{CUDACXX})
    find_program(BENCH_NVCC nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda "${BENCH_VENV_SITE}/nvidia/cu13"
      PATH_SUFFIXES bin)
    mark_as_advanced(BENCH_NVCC)
    if(NOT BENCH_NVCC)
      set(BENCH_CUDA_TEXT "no nvcc")
      return()
    endif()
    set(ENV{CUDACXX} "${BENCH_NVCC}")
  endif()
  # A compiler that is there but does not work must not end an AUTO build, as enable_language would: it is tried in a project of its own, which
  # is told by the environment what to try. An old answer of no is forgotten: the compiler may have been repaired.
  set(ENV{CUDAARCHS} "${CMAKE_CUDA_ARCHITECTURES}")
  unset(CMAKE_CUDA_COMPILER)
  unset(CMAKE_CUDA_COMPILER CACHE)
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(BENCH_CUDA_TEXT "$ENV{CUDACXX} does not work; CMakeFiles/CMakeError.log says why")
    return()
  endif()
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
  set(BENCH_CUDA_TEXT "nvcc ${CMAKE_CUDA_COMPILER_VERSION} is too old: C++20 and sm_90a need 12.0")
  return()
endif()
# Not sooner: the test of the compiler would ask for the standard before its flag is known. CMake knows nvcc's flag for it from 3.26 on.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
# Else every program with CUDA objects in it is given -lcudadevrt -lcudart_static, by bare names that g++ has no folder for. The run-time library
# comes with src/device instead, by its path (CUDA::cudart_static), and nothing here needs a device-side linker.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
set(CMAKE_CUDA_SEPARABLE_COMPILATION OFF)
# Machine code for two targets is most of the program: packed as small as nvcc can, a third of what its default leaves. Unpacked when it is loaded.
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13.0)
  add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:-Xfatbin=-compress-all>")
else()
  add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:--compress-mode=size>")
endif()
find_package(CUDAToolkit QUIET)
if(NOT TARGET CUDA::cudart_static)
  set(BENCH_CUDA_TEXT "nvcc ${CMAKE_CUDA_COMPILER_VERSION} is there, but not its static run-time library")
  return()
endif()
set(BENCH_CUDA_USABLE TRUE)
set(BENCH_CUDA_TEXT "${CMAKE_CUDA_COMPILER_VERSION}")
