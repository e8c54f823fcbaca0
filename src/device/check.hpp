// SPDX-License-Identifier: Apache-2.0
// A CUDA return code becomes an exception. Headers of this room name no CUDA type, so that any room's header
// can include them and every header compiles where CUDA is not installed: a code travels as an int, a handle
// as a pointer to an incomplete struct.
#pragma once

namespace bench::device {

/// Nothing for 0 (cudaSuccess). Else throws Error(internal) with CUDA's name and words for `code`,
/// `expression` and the place; for a device whose memory ran out std::bad_alloc, which the harness knows as
/// `oom`. CUDA's own note of the last error is cleared, so that a failed case does not fail the next one too.
/// An error that broke the context (an illegal address) stays: every later call repeats it.
void check(int code, const char* expression, const char* file, int line);

/// The same where nothing may be thrown: clears CUDA's note and forgets. True when there was nothing to
/// forget.
bool forgive(int code) noexcept;

}  // namespace bench::device

/// Calls a CUDA run-time function and throws if it failed. After a launch: BS_CUDA(cudaGetLastError()).
#define BS_CUDA(call) ::bench::device::check(static_cast<int>(call), #call, __FILE__, __LINE__)

/// For destructors, which have nobody to tell.
#define BS_CUDA_NOEXCEPT(call) static_cast<void>(::bench::device::forgive(static_cast<int>(call)))
