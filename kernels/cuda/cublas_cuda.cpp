// SPDX-License-Identifier: Apache-2.0
// The few functions of cuBLAS' C API that are used are declared here; values of its enumerations from cublas_api.h and library_types.h of CUDA 12 and 13.
#include "kernels/cuda/cublas_cuda.hpp"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>
#include <type_traits>
#include <vector>

#include "kernels/library.hpp"
#include "src/core/out_of_memory.hpp"

namespace bench::cuda {

struct CublasLibrary {
  int (*create)(void** handle);
  int (*destroy)(void* handle);
  int (*set_stream)(void* handle, void* stream);
  int (*set_workspace)(void* handle, void* workspace, std::size_t bytes);
  int (*get_property)(int property, int* value);
  const char* (*status_text)(int status);
  int (*gemm)(void* handle, int op_left, int op_right, int m, int n, int k, const void* alpha, const void* left, int left_type, int left_pitch,
              long long left_step, const void* right, int right_type, int right_pitch, long long right_step, const void* beta, void* c, int c_type, int c_pitch,
              long long c_step, int batch, int compute_type, int algorithm);
};

namespace {

constexpr std::int64_t kWorkspace_bytes = 32 << 20;  // what NVIDIA recommends on Hopper
constexpr int kAllocFailed = 3, kCompute32F = 68, kDefaultAlgorithm = -1;

int cuda_type(DType dtype) {
  switch (dtype) {
    case DType::f32: return 0;
    case DType::f16: return 2;
    case DType::bf16: return 14;
    case DType::f64: break;
  }
  throw Error(ErrorKind::internal, "a product in fp64 is not asked of cuBLAS here");
}

/// The folder of LibTorch, when it is loaded: its wheel brings cuBLAS in a folder nearby.
std::filesystem::path torch_folder() {
  std::filesystem::path folder;
  const auto look = [](dl_phdr_info* info, std::size_t, void* found) {
    const std::filesystem::path path = info->dlpi_name;
    if (path.filename() != "libtorch_cpu.so") return 0;
    *static_cast<std::filesystem::path*>(found) = path.parent_path();
    return 1;
  };
  dl_iterate_phdr(look, &folder);
  return folder;
}

std::vector<std::string> places() {
  std::vector<std::string> all{"libcublas.so.13", "libcublas.so.12"};
  const std::filesystem::path torch = torch_folder();
  if (torch.empty()) return all;
  const auto packages = torch.parent_path().parent_path() / "nvidia";
  for (const auto& folder : {torch, packages / "cu13" / "lib", packages / "cublas" / "lib"})
    for (const char* name : {"libcublas.so.13", "libcublas.so.12"}) all.push_back((folder / name).string());
  return all;
}

void* open() {
  std::string reasons;
  for (const std::string& place : places()) {
    if (void* handle = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL); handle != nullptr) return handle;  // stays open: the process's end closes it
    const char* why = dlerror();
    reasons += concat(reasons.empty() ? "" : "; ", why != nullptr ? why : "no reason given");
  }
  throw Error(ErrorKind::unavailable, concat("no cuBLAS: ", reasons));
}

CublasLibrary load() {
  void* handle = open();
  CublasLibrary found{};
  const auto find = [&](auto& function, const char* name) {
    void* address = dlsym(handle, name);
    if (address == nullptr) throw Error(ErrorKind::unavailable, concat("this libcublas has no ", name));
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
  find(found.create, "cublasCreate_v2");
  find(found.destroy, "cublasDestroy_v2");
  find(found.set_stream, "cublasSetStream_v2");
  find(found.set_workspace, "cublasSetWorkspace_v2");
  find(found.get_property, "cublasGetProperty");
  find(found.status_text, "cublasGetStatusString");
  find(found.gemm, "cublasGemmStridedBatchedEx");
  return found;
}

const CublasLibrary& library() {
  static const CublasLibrary loaded = load();
  return loaded;
}

void check(int status, const char* function) {
  if (status == 0) return;
  if (status == kAllocFailed) throw OutOfMemory(concat("the device's memory ran out in ", function));
  throw Error(ErrorKind::internal, concat(function, ": ", library().status_text(status)));
}

void* create_handle() {
  void* handle = nullptr;
  check(library().create(&handle), "cublasCreate");
  return handle;
}

}  // namespace

std::string why_no_cublas() {
  try {
    library();
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

Cublas::Cublas() : library_(library()), handle_(create_handle()), workspace_(kWorkspace_bytes) {}

void Cublas::Destroy::operator()(void* handle) const noexcept { library().destroy(handle); }

void Cublas::multiply(const GemmJob& job, GemmForm form, DType operands, DType result, void* stream) {
  BS_REQUIRE(job.share == 1, "cuBLAS knows no items that share an operand");
  if (stream != stream_) {
    check(library_.set_stream(handle_.get(), stream), "cublasSetStream");  // takes its workspace from it, too
    check(library_.set_workspace(handle_.get(), workspace_.data(), static_cast<std::size_t>(workspace_.bytes())), "cublasSetWorkspace");
    stream_ = stream;
  }
  const ColumnMajorGemm g = column_major(job, form);
  const int type = cuda_type(operands);
  const float zero = 0.0F;
  check(library_.gemm(handle_.get(), g.transpose_left ? 1 : 0, g.transpose_right ? 1 : 0, g.m, g.n, g.k, &job.scale, g.left, type, g.pitch_left, g.step_left, g.right, type,
                      g.pitch_right, g.step_right, &zero, job.c, cuda_type(result), job.pitch_c, job.step_c, job.batch, kCompute32F, kDefaultAlgorithm),
        "cublasGemmStridedBatchedEx");
}

std::string Cublas::version() {
  int part[3] = {};  // major, minor, patch
  for (int i = 0; i < 3; ++i) check(library().get_property(i, &part[i]), "cublasGetProperty");
  return concat(part[0], '.', part[1], '.', part[2]);
}

namespace {

const Registrar<Library> registrar{{"cuBLAS", [] {
                                      const std::string reason = why_no_cublas();
                                      return reason.empty() ? Cublas::version() : concat("unavailable: ", reason);
                                    }}};

}  // namespace

}  // namespace bench::cuda
