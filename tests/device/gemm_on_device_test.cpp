// SPDX-License-Identifier: Apache-2.0
// The product that the device's arithmetic rate is read from.
#include <gtest/gtest.h>

#include "kernels/cuda/gemm_rate_cuda.hpp"
#include "src/device/stream.hpp"
#include "tests/device/with_device.hpp"

namespace bench::cuda {
namespace {

using GemmOnDevice = device::test::WithDevice;

TEST(Cublas, CanBeOpenedOrSaysWhyNot) {  // needs no device
  const std::string reason = why_no_cublas();
  EXPECT_TRUE(reason.empty() || reason.find("libcublas") != std::string::npos) << reason;
}

TEST_F(GemmOnDevice, TheRatesProductRunsInEveryType) {
  const device::Stream stream;
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    GemmRate product(dtype, 1032);  // eight tiles of 128 and a piece
    for (int i = 0; i < 3; ++i) product.enqueue(stream.get());
    stream.wait();
    EXPECT_DOUBLE_EQ(product.flops(), 2.0 * 1032 * 1032 * 1032);
    EXPECT_FALSE(product.by().empty());
  }
}

}  // namespace
}  // namespace bench::cuda
