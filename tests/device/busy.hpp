// SPDX-License-Identifier: Apache-2.0
// Kernels whose duration or effect a test knows. Definitions in busy_kernels.cu.
#pragma once

#include <cstdint>

#include "src/device/buffer.hpp"
#include "src/device/stream.hpp"

namespace bench::device::test {

/// One thread that is busy for `duration_ns` of the device's %globaltimer.
void be_busy(const Stream& stream, std::uint64_t duration_ns);

/// One thread that stores 1.
void raise_flag(const Stream& stream, const Mapped<std::uint32_t>& flag);

/// Reads all of `data`, past L1.
void read_all(const Stream& stream, const DeviceBuffer& data);

}  // namespace bench::device::test
