# SPDX-License-Identifier: Apache-2.0
# Where the Python environment of setup.sh is. Its wheels carry Open MPI, LibTorch and NCCL, so that a machine
# with none of them installed builds all the same.
#
#   BENCH_SCALE_VENV   cache path, default <source>/.venv; need not exist
#   BENCH_VENV_SITE    its site-packages folder, or empty
#   BENCH_VENV_PYTHON  its python, else python3 on PATH, else empty (the tests that read our files use it)
include_guard(GLOBAL)

set(BENCH_SCALE_VENV "${CMAKE_SOURCE_DIR}/.venv" CACHE PATH "Python environment made by setup.sh")

file(GLOB BENCH_VENV_SITE LIST_DIRECTORIES true "${BENCH_SCALE_VENV}/lib/python3*/site-packages")
if(BENCH_VENV_SITE)
  list(GET BENCH_VENV_SITE 0 BENCH_VENV_SITE)
endif()

set(BENCH_VENV_PYTHON "${BENCH_SCALE_VENV}/bin/python")
if(NOT EXISTS "${BENCH_VENV_PYTHON}")
  find_program(BENCH_PYTHON_ON_PATH python3)
  mark_as_advanced(BENCH_PYTHON_ON_PATH)
  set(BENCH_VENV_PYTHON "${BENCH_PYTHON_ON_PATH}")
  if(NOT BENCH_VENV_PYTHON)
    set(BENCH_VENV_PYTHON "")
  endif()
endif()
