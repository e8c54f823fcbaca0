# SPDX-License-Identifier: Apache-2.0
# LibTorch as the `torch` wheel brings it, for code that calls ATen on the CPU.
#
# The wheel's own TorchConfig.cmake insists on a CUDA toolkit when the wheel was built for CUDA, GPU or not.
# We need two of its libraries: torch_cpu and c10. What those need in turn (CUDA run-time, cupti, ...) lies in
# other wheels, where their own run paths find it when the program is loaded; the linker is told not to look
# for it.
#
#   BENCH_SCALE_TORCH_ROOT  the `torch` folder; default: the one in BENCH_SCALE_VENV
# Result: BenchTorch_FOUND, BenchTorch_VERSION (as in torch/version.py, e.g. 2.11.0+cu130),
#   BenchTorch_REASON (why not) and the target bench_torch.
include(BenchVenv)
include(FindPackageHandleStandardArgs)

set(BENCH_SCALE_TORCH_ROOT "" CACHE PATH "Folder `torch` of a LibTorch or of the torch wheel")
set(bench_torch_root "${BENCH_SCALE_TORCH_ROOT}")
if(NOT bench_torch_root)
  set(bench_torch_root "${BENCH_VENV_SITE}/torch")
endif()

# Plain files, not find_library: a cached answer would outlive the .venv it came from.
set(BenchTorch_LIBRARY "${bench_torch_root}/lib/libtorch_cpu.so")
set(BenchTorch_C10_LIBRARY "${bench_torch_root}/lib/libc10.so")
set(BenchTorch_INCLUDE_DIR "${bench_torch_root}/include")

set(BenchTorch_REASON "")
foreach(part LIBRARY C10_LIBRARY INCLUDE_DIR)
  if(NOT EXISTS "${BenchTorch_${part}}")
    set(BenchTorch_REASON "no ${BenchTorch_${part}}")
    if(NOT BENCH_SCALE_TORCH_ROOT)
      set(BenchTorch_REASON "no torch wheel in ${BENCH_SCALE_VENV}")
    endif()
    unset(BenchTorch_${part})
    break()
  endif()
endforeach()

set(BenchTorch_VERSION "")
foreach(source version.py build-version)  # the wheel; a LibTorch archive
  if(BenchTorch_VERSION STREQUAL "" AND EXISTS "${bench_torch_root}/${source}")
    file(READ "${bench_torch_root}/${source}" bench_torch_text)
    string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+[0-9A-Za-z.+]*" BenchTorch_VERSION "${bench_torch_text}")
  endif()
endforeach()

find_package_handle_standard_args(BenchTorch
  REQUIRED_VARS BenchTorch_LIBRARY BenchTorch_C10_LIBRARY BenchTorch_INCLUDE_DIR
  VERSION_VAR BenchTorch_VERSION
  REASON_FAILURE_MESSAGE "${BenchTorch_REASON}")

if(BenchTorch_FOUND AND NOT TARGET bench_torch)
  add_library(bench_torch INTERFACE IMPORTED GLOBAL)
  # Only <ATen/...> and <c10/...>: <torch/torch.h> triples the compile time and needs a second folder.
  target_include_directories(bench_torch SYSTEM INTERFACE "${BenchTorch_INCLUDE_DIR}")
  target_link_libraries(bench_torch INTERFACE "${BenchTorch_LIBRARY}" "${BenchTorch_C10_LIBRARY}")
  target_link_options(bench_torch INTERFACE "LINKER:--unresolved-symbols=ignore-in-shared-libs")
endif()
