// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include <algorithm>
#include <vector>

#include "kernels/cuda/gemm_launch.cuh"
#include "kernels/cuda/gemm_rate_cuda.hpp"
#include "src/core/rng.hpp"

namespace bench::cuda {
namespace {

constexpr std::int64_t kDrawn = 1'000'003;  // different numbers; odd, so that rows do not repeat

/// `count` numbers N(0, 1), drawn on the host as far as they differ and repeated on the device.
template <class T>
device::DeviceBuffer random_elements(std::int64_t count, const char* stream) {
  const CounterRng random(1, stream);
  const std::int64_t drawn = std::min(count, kDrawn), size = sizeof(T);
  std::vector<T> values(static_cast<std::size_t>(drawn));
  for (std::int64_t i = 0; i < drawn; ++i) values[static_cast<std::size_t>(i)] = store<T>(random.normal(static_cast<std::uint64_t>(i)));
  device::DeviceBuffer buffer(count * size);
  BS_CUDA(cudaMemcpy(buffer.data(), values.data(), static_cast<std::size_t>(drawn * size), cudaMemcpyHostToDevice));
  for (std::int64_t at = drawn; at < count; at += drawn)
    BS_CUDA(cudaMemcpyAsync(buffer.data() + at * size, buffer.data(), static_cast<std::size_t>(std::min(drawn, count - at) * size), cudaMemcpyDeviceToDevice, nullptr));
  BS_CUDA(cudaStreamSynchronize(nullptr));
  return buffer;
}

/// Calls f with the element type.
template <class F>
void of_type(DType dtype, F&& f) {
  if (dtype == DType::bf16) return f.template operator()<Bf16>();
  if (dtype == DType::f16) return f.template operator()<F16>();
  BS_REQUIRE(dtype == DType::f32, "no rate is measured in ", to_text(dtype));
  f.template operator()<float>();
}

template <class T>
using Own = GemmBody<T, T, GemmForm::nt, 128>;

}  // namespace

GemmRate::GemmRate(DType dtype, std::int64_t n) : dtype_(dtype), n_(n) {
  BS_REQUIRE(n > 0 && n % 8 == 0, "n = ", n, ": the own kernel takes multiples of 8");
  of_type(dtype, [&]<class T>() {
    a_ = random_elements<T>(n * n, "a");
    b_ = random_elements<T>(n * n, "b");
    c_ = device::DeviceBuffer(n * n * static_cast<std::int64_t>(sizeof(T)));
    prepare_gemm<Own<T>>();
  });
  const int side = static_cast<int>(n);
  job_ = {a_.data(), b_.data(), c_.data(), side, side, side, side, side, side, n * n, n * n, n * n};
  try {
    cublas_ = std::make_unique<Cublas>();
    by_ = concat("cuBLAS ", Cublas::version());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    by_ = concat("own kernel (", error.what(), ')');
  }
  enqueue(nullptr);  // loads the kernel, which waits for the device
  BS_CUDA(cudaStreamSynchronize(nullptr));
}

void GemmRate::enqueue(void* stream) {
  if (cublas_) return cublas_->multiply(job_, GemmForm::nt, dtype_, dtype_, stream);
  of_type(dtype_, [&]<class T>() { launch_gemm<Own<T>>(job_, static_cast<cudaStream_t>(stream)); });
}

double GemmRate::flops() const {
  const auto n = static_cast<double>(n_);
  return 2.0 * n * n * n;
}

}  // namespace bench::cuda
