// SPDX-License-Identifier: Apache-2.0
// What an error code means for the run: by CUDA's own description of each.
#include "src/device/error_kinds.hpp"

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <string>

#include "src/core/error.hpp"
#include "src/core/out_of_memory.hpp"
#include "src/device/check.hpp"

namespace bench::device {
namespace {

// "To continue using CUDA, the process must be terminated and relaunched", in driver_types.h of CUDA 13.0.
constexpr cudaError_t kSticky[]{cudaErrorIllegalAddress,      cudaErrorLaunchTimeout, cudaErrorAssert,
                                cudaErrorHardwareStackError,  cudaErrorIllegalInstruction, cudaErrorMisalignedAddress,
                                cudaErrorInvalidAddressSpace, cudaErrorInvalidPc,     cudaErrorLaunchFailure,
                                cudaErrorTensorMemoryLeak,    cudaErrorContained,     cudaErrorExternalDevice,
                                cudaErrorMpsClientTerminated};
// What a case may provoke and the next one need not know of.
constexpr cudaError_t kHarmless[]{cudaSuccess,           cudaErrorInvalidValue,           cudaErrorMemoryAllocation,
                                  cudaErrorNotReady,     cudaErrorInvalidConfiguration,   cudaErrorLaunchOutOfResources,
                                  cudaErrorNotSupported, cudaErrorStreamCaptureUnsupported, cudaErrorNoKernelImageForDevice,
                                  cudaErrorNoDevice};

TEST(ErrorKinds, AreStickyWhereCudaSaysThatOnlyANewProcessHelps) {
  for (const cudaError_t code : kSticky) EXPECT_TRUE(breaks_the_context(code)) << code;
  EXPECT_TRUE(breaks_the_context(cudaErrorECCUncorrectable)) << "the memory is not what it was";
  for (const cudaError_t code : kHarmless) EXPECT_FALSE(breaks_the_context(code)) << code;
}

TEST(ErrorKinds, TellWhatIsNotHereFromWhatWentWrong) {
  EXPECT_TRUE(is_absence(cudaErrorNoDevice) && is_absence(cudaErrorInsufficientDriver));
  EXPECT_TRUE(is_missing_code(cudaErrorNoKernelImageForDevice) && is_missing_code(cudaErrorUnsupportedPtxVersion));
  for (const cudaError_t code : kSticky) EXPECT_FALSE(is_absence(code) || is_missing_code(code)) << code;
}

TEST(Check, OfAMissingDriverOrMissingCodeIsUnavailable) {
  for (const cudaError_t code : {cudaErrorInsufficientDriver, cudaErrorNoDevice, cudaErrorNoKernelImageForDevice}) {
    try {
      check(code, "call()", "file.cpp", 1);
      FAIL() << code << " passed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable) << error.what();
      const bool names_code = std::string(error.what()).find("this build has code for sm_") != std::string::npos;
      EXPECT_EQ(names_code, code == cudaErrorNoKernelImageForDevice) << error.what();
    }
  }
}

TEST(Check, OfMemoryThatRanOutSaysHowMuchWasAskedFor) {
  try {
    out_of_memory(12345);
    FAIL();
  } catch (const OutOfMemory& error) {
    EXPECT_NE(std::string(error.what()).find("12345 bytes were asked for"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bench::device
