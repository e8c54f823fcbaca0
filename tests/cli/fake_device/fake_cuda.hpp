// SPDX-License-Identifier: Apache-2.0
// What a planted kernel can do to the pretended device.
#pragma once

namespace bench::fake_cuda {

/// A kernel is launched: work on the stream, seen by a capture.
void launch();
/// As after a kernel that faulted: every later call returns `code` (a cudaError).
void break_context(int code);
/// A kernel that never ends: whatever waits for the device waits for ever.
void hang();

}  // namespace bench::fake_cuda
