// SPDX-License-Identifier: Apache-2.0
// What a CUDA error code means for whoever has to go on. By the descriptions of cudaError in CUDA's
// driver_types.h (13.0). Pure.
#pragma once

namespace bench::device {

/// The context of this process is broken: every later call fails alike, and only a new process gets another
/// context.
bool breaks_the_context(int code);

/// Nothing is wrong with what was asked, it is not here: device, driver, or one that is new enough.
bool is_absence(int code);

/// The program holds no machine code for the device, nor code that its driver can compile.
bool is_missing_code(int code);

}  // namespace bench::device
