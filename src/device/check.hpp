// SPDX-License-Identifier: Apache-2.0
// A CUDA return code becomes an exception. Headers of this room name no CUDA type, so that any room's header
// can include them and every header compiles where CUDA is not installed: a code travels as an int, a handle
// as a pointer to an incomplete struct.
#pragma once

#include <cstdint>

namespace bench::device {

/// Nothing for 0 (cudaSuccess). Else clears CUDA's own note of the last error, so that a failed case does not
/// fail the next one too, and throws, with CUDA's name and words for `code`, `expression` and the place:
///   OutOfMemory         the device's memory ran out;
///   Error(unavailable)  there is no device, no driver or none that is new enough, or this build has no code
///                       for the device (error_kinds.hpp);
///   Error(internal)     everything else. One that broke the context (an illegal address) stays, every later
///                       call repeats it: lost_context.hpp.
void check(int code, const char* expression, const char* file, int line);

/// Throws OutOfMemory: `bytes` were asked for on the current device, and so many are free.
[[noreturn]] void out_of_memory(std::int64_t bytes);

/// The same where nothing may be thrown: clears CUDA's note and forgets. True when there was nothing to
/// forget.
bool forgive(int code) noexcept;

}  // namespace bench::device

/// Calls a CUDA run-time function and throws if it failed. After a launch: BS_CUDA(cudaGetLastError()).
#define BS_CUDA(call) ::bench::device::check(static_cast<int>(call), #call, __FILE__, __LINE__)

/// For destructors, which have nobody to tell.
#define BS_CUDA_NOEXCEPT(call) static_cast<void>(::bench::device::forgive(static_cast<int>(call)))
