# SPDX-License-Identifier: Apache-2.0
# Helpers that make a build faster or stricter and are welcome but not needed: ccache, mold, sanitizers.
# Include from the root file after project() and before any target.
#
#   BENCH_SCALE_SANITIZE  e.g. "address,undefined" or "thread"; empty for none
include_guard(GLOBAL)
include(CheckLinkerFlag)

find_program(BENCH_CCACHE ccache)
if(BENCH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths below the source tree are hashed as relative ones, so that another clone finds what this one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${BENCH_CCACHE}")
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${CMAKE_CXX_COMPILER_LAUNCHER}")
endif()

# A linker the user chose himself, in the flags, stays.
find_program(BENCH_MOLD mold)
if(BENCH_MOLD AND NOT CMAKE_EXE_LINKER_FLAGS MATCHES "-fuse-ld")
  check_linker_flag(CXX "-fuse-ld=mold" BENCH_MOLD_WORKS)
  if(BENCH_MOLD_WORKS)
    add_link_options("-fuse-ld=mold")
  endif()
endif()
mark_as_advanced(BENCH_CCACHE BENCH_MOLD)

set(BENCH_SCALE_SANITIZE "" CACHE STRING "Sanitizers to build with, as for -fsanitize=")
if(BENCH_SCALE_SANITIZE)
  # Not for CUDA: nvcc does not know these, and compute-sanitizer is what looks at device code.
  add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${BENCH_SCALE_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  add_link_options("-fsanitize=${BENCH_SCALE_SANITIZE}")
endif()
