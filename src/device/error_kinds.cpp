// SPDX-License-Identifier: Apache-2.0
#include "src/device/error_kinds.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>

namespace bench::device {
namespace {

// "To continue using CUDA, the process must be terminated and relaunched"; and three whose words are others:
// an uncorrectable ECC or NVLink error, and a context that somebody destroyed.
constexpr std::array kBreaking{
    cudaErrorECCUncorrectable,   cudaErrorNvlinkUncorrectable, cudaErrorContained,       cudaErrorIllegalAddress,
    cudaErrorLaunchTimeout,      cudaErrorContextIsDestroyed,  cudaErrorAssert,          cudaErrorHardwareStackError,
    cudaErrorIllegalInstruction, cudaErrorMisalignedAddress,   cudaErrorInvalidAddressSpace, cudaErrorInvalidPc,
    cudaErrorLaunchFailure,      cudaErrorTensorMemoryLeak,    cudaErrorMpsClientTerminated, cudaErrorExternalDevice,
};

constexpr std::array kAbsent{
    cudaErrorInsufficientDriver, cudaErrorNoDevice,       cudaErrorDevicesUnavailable,    cudaErrorStubLibrary,
    cudaErrorDeviceNotLicensed,  cudaErrorSystemNotReady, cudaErrorSystemDriverMismatch,
    cudaErrorCompatNotSupportedOnDevice,
};

constexpr std::array kNoCode{
    cudaErrorNoKernelImageForDevice, cudaErrorInvalidDeviceFunction, cudaErrorInvalidKernelImage,
    cudaErrorUnsupportedPtxVersion,  cudaErrorJitCompilerNotFound,   cudaErrorJitCompilationDisabled,
};

template <class Codes>
bool among(const Codes& codes, int code) {
  return std::ranges::find(codes, static_cast<cudaError_t>(code)) != codes.end();
}

}  // namespace

bool breaks_the_context(int code) {
  return among(kBreaking, code);
}
bool is_absence(int code) {
  return among(kAbsent, code);
}
bool is_missing_code(int code) {
  return among(kNoCode, code);
}

}  // namespace bench::device
