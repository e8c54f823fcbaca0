// SPDX-License-Identifier: Apache-2.0
// Kernels that do one thing as fast as the device can: move bytes, take exponentials. Each goes onto a cudaStream_t. Definitions in
// stream_kernels_cuda.cu.
#pragma once

#include <cstdint>

#include "src/device/buffer.hpp"

namespace bench::jobs {

inline constexpr std::int64_t kBlocksPerSm = 4;  // of Sweep::kThreads: 2048 threads, what an SM of a big chip holds

/// How often arrays of `count` pieces of 16 bytes are gone over: `threads` threads, `visits` pieces each. Thread t takes piece (t + v * threads) mod
/// count at its visit v: neighbours take neighbours, and all threads work however small the arrays are.
struct Sweep {
  std::uint32_t count = 0, blocks = 0;
  std::int64_t visits = 0;
  static constexpr std::uint32_t kThreads = 512;  // of a block
  std::int64_t threads() const { return std::int64_t{blocks} * kThreads; }
  std::int64_t pieces() const { return threads() * visits; }
};
/// Over arrays of `bytes` each, on `sm_count` multiprocessors, moving at least `traffic` bytes of each array and every piece at least once.
Sweep sweep_of(std::int64_t bytes, std::int64_t sm_count, std::int64_t traffic);

/// The four words of piece i.
inline constexpr std::uint32_t kWordFactors[4] = {1U, 2654435761U, 40503U, 0x9e3779b9U};

/// Piece i of `data` becomes its words times `times`.
void fill(void* stream, const device::DeviceBuffer& data, std::uint32_t times);
/// sink[thread] = sum of the words that the thread read, modulo 2^32.
void read_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& from, const device::DeviceBuffer& sink);
/// to = from.
void copy_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& from, const device::DeviceBuffer& to);
/// to = a + 3 b, of words modulo 2^32.
void triad_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& a, const device::DeviceBuffer& b,
                const device::DeviceBuffer& to);

/// `rounds` times x := 2^-x in kChains chains of every thread, by ex2.approx.ftz.f32; sink[thread] = their sum, kChains times the fixed point 0.6411857.
inline constexpr std::int64_t kChains = 8;
inline constexpr float kFixedPoint = 0.6411857445F;
void exponentials(void* stream, std::uint32_t blocks, std::int64_t rounds, const device::DeviceBuffer& sink);

}  // namespace bench::jobs
