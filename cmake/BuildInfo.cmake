# SPDX-License-Identifier: Apache-2.0
# Target bench_build_info: the include folder of the generated build_info.hpp. Include after the dependencies are found.
#
# Two passes. Configuring fills in what CMake knows; the commit and the dirty flag are filled in then, and again at the start of every
# build by running this file as a script, because an edit or a commit needs no configure. The header changes, and
# its one user recompiles, only when the text does.

if(CMAKE_SCRIPT_MODE_FILE)  # -DSOURCE_DIR= -DTEMPLATE= -DHEADER=
  set(BENCH_INFO_COMMIT "unavailable")
  set(BENCH_INFO_DIRTY "unavailable")
  find_program(GIT git)
  # A tarball unpacked inside some other repository must not report that one's commit.
  if(GIT AND EXISTS "${SOURCE_DIR}/.git")
    execute_process(COMMAND "${GIT}" rev-parse HEAD WORKING_DIRECTORY "${SOURCE_DIR}"
      RESULT_VARIABLE failed OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(NOT failed)
      set(BENCH_INFO_COMMIT "${commit}")
    endif()
    execute_process(COMMAND "${GIT}" --no-optional-locks status --porcelain --untracked-files=no
      WORKING_DIRECTORY "${SOURCE_DIR}" RESULT_VARIABLE failed OUTPUT_VARIABLE changes ERROR_QUIET)
    if(NOT failed)
      set(BENCH_INFO_DIRTY "no")
      if(changes)
        set(BENCH_INFO_DIRTY "yes")
      endif()
    endif()
  endif()
  configure_file("${TEMPLATE}" "${HEADER}" @ONLY)
  return()
endif()

include_guard(GLOBAL)
string(TOUPPER "${CMAKE_BUILD_TYPE}" bench_type)
set(BENCH_INFO_VERSION "${PROJECT_VERSION}")
set(BENCH_INFO_BUILD_TYPE "${CMAKE_BUILD_TYPE}")
set(BENCH_INFO_COMPILER "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
string(STRIP "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${bench_type}}" BENCH_INFO_FLAGS)
set(BENCH_INFO_HDF5 "${HDF5_VERSION}")
set(BENCH_INFO_OPENMP "${OpenMP_CXX_VERSION}")
foreach(name BUILD_TYPE HDF5 OPENMP)
  if(BENCH_INFO_${name} STREQUAL "")
    set(BENCH_INFO_${name} "unavailable")
  endif()
endforeach()
set(BENCH_INFO_COMMIT "@BENCH_INFO_COMMIT@")  # left for the second pass
set(BENCH_INFO_DIRTY "@BENCH_INFO_DIRTY@")

set(bench_info_folder "${CMAKE_BINARY_DIR}/generated")
configure_file("${CMAKE_CURRENT_LIST_DIR}/build_info.hpp.in" "${bench_info_folder}/build_info.hpp.in" @ONLY)
set(bench_info_command "${CMAKE_COMMAND}" "-DSOURCE_DIR=${CMAKE_SOURCE_DIR}"
  "-DTEMPLATE=${bench_info_folder}/build_info.hpp.in" "-DHEADER=${bench_info_folder}/build_info.hpp"
  -P "${CMAKE_CURRENT_LIST_FILE}")
execute_process(COMMAND ${bench_info_command} COMMAND_ERROR_IS_FATAL ANY)

add_library(bench_build_info INTERFACE)
target_include_directories(bench_build_info INTERFACE "${bench_info_folder}")
add_custom_target(bench_build_info_refresh COMMAND ${bench_info_command} VERBATIM
  BYPRODUCTS "${bench_info_folder}/build_info.hpp" COMMENT "Reading the commit")
add_dependencies(bench_build_info bench_build_info_refresh)
