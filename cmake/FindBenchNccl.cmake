# SPDX-License-Identifier: Apache-2.0
# NCCL from the site (NCCL_ROOT, NCCL_HOME, CMAKE_PREFIX_PATH, the system) or from the wheel that torch brings
# along. Result: BenchNccl_FOUND, BenchNccl_VERSION, BenchNccl_REASON (why not) and the target bench_nccl.
include(BenchVenv)
include(FindPackageHandleStandardArgs)

set(bench_nccl_wheel "${BENCH_VENV_SITE}/nvidia/nccl")
find_path(BenchNccl_INCLUDE_DIR nccl.h
  HINTS ${NCCL_ROOT} ENV NCCL_ROOT ENV NCCL_HOME PATHS "${bench_nccl_wheel}" PATH_SUFFIXES include)
find_library(BenchNccl_LIBRARY NAMES nccl libnccl.so.2
  HINTS ${NCCL_ROOT} ENV NCCL_ROOT ENV NCCL_HOME PATHS "${bench_nccl_wheel}" PATH_SUFFIXES lib lib64)
mark_as_advanced(BenchNccl_INCLUDE_DIR BenchNccl_LIBRARY)

set(BenchNccl_VERSION "")
set(BenchNccl_REASON "no nccl.h and libnccl")
if(BenchNccl_INCLUDE_DIR)
  set(BenchNccl_REASON "nccl.h is in ${BenchNccl_INCLUDE_DIR}, but there is no libnccl")
  file(STRINGS "${BenchNccl_INCLUDE_DIR}/nccl.h" bench_nccl_lines REGEX "#define NCCL_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^0-9;]" "" bench_nccl_lines "${bench_nccl_lines}")
  list(JOIN bench_nccl_lines "." BenchNccl_VERSION)
endif()

find_package_handle_standard_args(BenchNccl
  REQUIRED_VARS BenchNccl_LIBRARY BenchNccl_INCLUDE_DIR
  VERSION_VAR BenchNccl_VERSION
  REASON_FAILURE_MESSAGE "${BenchNccl_REASON}")

if(BenchNccl_FOUND AND NOT TARGET bench_nccl)
  add_library(bench_nccl INTERFACE IMPORTED GLOBAL)
  target_include_directories(bench_nccl SYSTEM INTERFACE "${BenchNccl_INCLUDE_DIR}")
  target_link_libraries(bench_nccl INTERFACE "${BenchNccl_LIBRARY}")
endif()
