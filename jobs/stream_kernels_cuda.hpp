// SPDX-License-Identifier: Apache-2.0
// Kernels that do one thing as fast as the device can: move bytes, take exponentials. Each goes onto a cudaStream_t.
#pragma once

#include "jobs/stream_sweep.hpp"
#include "src/device/buffer.hpp"

namespace bench::jobs {

/// Every word of `data` becomes word_of its place.
void fill(void* stream, const device::DeviceBuffer& data, std::uint32_t times);
/// sink[thread] = sum of the words that the thread read, modulo 2^32.
void read_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& from, const device::DeviceBuffer& sink);
/// to = from.
void copy_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& from, const device::DeviceBuffer& to);
/// to = a + 3 b, of words modulo 2^32.
void triad_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& a, const device::DeviceBuffer& b, const device::DeviceBuffer& to);
/// sink[thread] = sum of kChains chains of `rounds` times x := 2^-x, by ex2.approx.ftz.f32.
void exponentials(void* stream, std::uint32_t blocks, std::int64_t rounds, const device::DeviceBuffer& sink);

}  // namespace bench::jobs
