# SPDX-License-Identifier: Apache-2.0
# INTERFACE target bench_warnings: the warnings our own code is held to. Link it PRIVATE; headers of others come in as
# SYSTEM and stay quiet.
#
#   BENCH_SCALE_WERROR  ON makes each warning an error (for development; a newer compiler must not break a user's build)
include_guard(GLOBAL)

option(BENCH_SCALE_WERROR "Treat warnings as errors" OFF)

add_library(bench_warnings INTERFACE)
target_compile_options(bench_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wconversion;-Wshadow>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${BENCH_SCALE_WERROR}>>:-Werror>)
