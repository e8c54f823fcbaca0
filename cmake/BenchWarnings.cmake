# SPDX-License-Identifier: Apache-2.0
# INTERFACE target bench_warnings: the warnings our own code is held to. Link it PRIVATE; headers of others
# come in as SYSTEM and stay quiet.
#
#   BENCH_SCALE_WERROR  ON makes each warning an error: for development, as a newer compiler must not break a
#                       user's build
include_guard(GLOBAL)

option(BENCH_SCALE_WERROR "Treat warnings as errors" OFF)

# Two warnings are off: designated initialisers leave members to their defaults on purpose, and g++ 12 sees
# overlaps inside std::string concatenation that are not there (its bug 105651).
add_library(bench_warnings INTERFACE)
target_compile_options(bench_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wconversion;-Wshadow;-Wno-missing-field-initializers;-Wno-restrict>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${BENCH_SCALE_WERROR}>>:-Werror>
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wno-missing-field-initializers>
  $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${BENCH_SCALE_WERROR}>>:-Werror=all-warnings;-Xcompiler=-Werror>)
