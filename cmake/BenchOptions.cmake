# SPDX-License-Identifier: Apache-2.0
# The features a build may have: BENCH_SCALE_{CUDA,NCCL,TORCH} = AUTO, ON or OFF.
# AUTO takes what is there and says what it left out and why; ON fails with how to install; OFF does not look.
#
# Result per feature: BENCH_SCALE_HAVE_<F> (TRUE or FALSE) and BENCH_<F>_NOTE (a version, or the reason of the
# absence), and the targets bench_torch, CUDA::cudart_static, bench_nccl. bench_print_features() prints the table at
# the end. Also found here, because everything needs it: one MPI (BenchMpi.cmake).
include_guard(GLOBAL)
include(BenchVenv)
include(BenchMpi)

option(BUILD_TESTING "Build the tests" ON)
if(NOT CMAKE_BUILD_TYPE)
  # CMake's own default has no optimiser: every number measured with it would mislead.
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

foreach(feature CUDA NCCL TORCH)
  set(BENCH_SCALE_${feature} AUTO CACHE STRING "AUTO, ON or OFF")
  set_property(CACHE BENCH_SCALE_${feature} PROPERTY STRINGS AUTO ON OFF)
  string(TOUPPER "${BENCH_SCALE_${feature}}" bench_mode)
  if(NOT bench_mode MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "BENCH_SCALE_${feature}=${BENCH_SCALE_${feature}}: allowed are AUTO, ON, OFF.")
  endif()
  set(BENCH_MODE_${feature} "${bench_mode}")
  set(BENCH_SCALE_HAVE_${feature} FALSE)
  set(BENCH_${feature}_NOTE "switched off")
endforeach()

# Records the answer of a search. found: TRUE or FALSE. note: version, or why not. how: what a user can do
# about it.
macro(bench_decide feature found note how)
  set(BENCH_SCALE_HAVE_${feature} ${found})
  set(BENCH_${feature}_NOTE "${note}")
  if(BENCH_MODE_${feature} STREQUAL "ON" AND NOT ${found})
    message(FATAL_ERROR "BENCH_SCALE_${feature}=ON, but: ${note}.\n  ${how}")
  endif()
endmacro()

if(NOT BENCH_MODE_TORCH STREQUAL "OFF")
  find_package(BenchTorch QUIET)
  set(bench_note "${BenchTorch_REASON}")
  if(BenchTorch_FOUND)
    set(bench_note "${BenchTorch_VERSION}")
  endif()
  bench_decide(TORCH ${BenchTorch_FOUND} "${bench_note}"
    "Run ./setup.sh build (it puts the wheel into .venv), or set BENCH_SCALE_TORCH_ROOT to a torch folder.")
endif()

if(NOT BENCH_MODE_CUDA STREQUAL "OFF")
  include(BenchCuda)
  bench_decide(CUDA ${BENCH_CUDA_USABLE} "${BENCH_CUDA_TEXT}"
    "Install the CUDA toolkit or load its module, or name nvcc with -DCMAKE_CUDA_COMPILER=/path/to/nvcc.")
endif()

if(NOT BENCH_MODE_NCCL STREQUAL "OFF")
  if(BENCH_SCALE_HAVE_CUDA)
    find_package(BenchNccl QUIET)
    set(bench_note "${BenchNccl_REASON}")
    if(BenchNccl_FOUND)
      set(bench_note "${BenchNccl_VERSION}")
    endif()
    bench_decide(NCCL ${BenchNccl_FOUND} "${bench_note}"
      "Install libnccl-dev, load its module, or run ./setup.sh build (the torch wheel brings NCCL along).")
  else()
    bench_decide(NCCL FALSE "needs CUDA, which is not in this build" "Add -DBENCH_SCALE_CUDA=ON.")
  endif()
endif()

# One line per feature: what is in, or what was left out and why.
function(bench_print_features)
  message(STATUS "bench_scale ${CMAKE_BUILD_TYPE} with MPI ${MPI_CXX_VERSION} from ${BENCH_MPI_ORIGIN}")
  foreach(feature TORCH CUDA NCCL)
    set(verdict "without")
    if(BENCH_SCALE_HAVE_${feature})
      set(verdict "with   ")
    endif()
    message(STATUS "bench_scale ${verdict} ${feature}: ${BENCH_${feature}_NOTE}")
  endforeach()
endfunction()
