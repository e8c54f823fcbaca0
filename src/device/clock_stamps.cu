// SPDX-License-Identifier: Apache-2.0
#include "src/device/clock_stamps.hpp"

#include <cuda_runtime.h>

#include <algorithm>
#include <span>

#include "src/device/check.hpp"
#include "src/device/device.hpp"
#include "src/device/global_timer.cuh"

namespace bench::device {
namespace {

constexpr std::int64_t kSlots = 512;  // %smid need not be gapless, so more than the SMs of any chip so far
constexpr int kChanges = 64;          // at 1 us a step still only 64 us

__device__ unsigned this_sm() {
  unsigned id = 0;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(id));
  return id;
}

/// One thread per block. One 16-byte store, so that two blocks of one SM cannot mix their readings.
__global__ void note_clocks(Stamp* slots) {
  const unsigned sm = this_sm();
  if (sm >= kSlots) return;
  const auto cycles = static_cast<std::uint64_t>(clock64());
  const std::uint64_t ns = global_ns();
  *reinterpret_cast<ulonglong2*>(slots + sm) = make_ulonglong2(cycles, ns);
}

/// One thread.
__global__ void find_step(std::uint64_t* step_ns) {
  std::uint64_t smallest = ~std::uint64_t{0}, last = global_ns();
  for (int change = 0; change < kChanges;) {
    const std::uint64_t now = global_ns();
    if (now == last) continue;
    smallest = min(smallest, now - last);
    last = now;
    ++change;
  }
  *step_ns = smallest;
}

}  // namespace

std::uint64_t global_timer_step_ns(const Stream& stream) {
  const Mapped<std::uint64_t> step(1);
  find_step<<<1, 1, 0, stream.get()>>>(step.device());
  BS_CUDA(cudaGetLastError());
  stream.wait();
  return *step.host();
}

ClockStamps::ClockStamps(const Stream& stream)
    : stream_(stream),
      blocks_(static_cast<int>(properties(current()).sm_count)),
      step_ns_(global_timer_step_ns(stream)),
      stamps_(2 * kSlots) {
  cudaFuncAttributes loaded{};
  BS_CUDA(cudaFuncGetAttributes(&loaded, note_clocks));
}

void ClockStamps::stamp(std::int64_t first_slot) {
  note_clocks<<<blocks_, 1, 0, stream_.get()>>>(stamps_.device() + first_slot);
  BS_CUDA(cudaGetLastError());
}

void ClockStamps::begin() {
  std::fill_n(stamps_.host(), 2 * kSlots, Stamp{});
  stamp(0);
}

void ClockStamps::end() {
  stamp(kSlots);
}

double ClockStamps::mhz() const {
  const std::span<const Stamp> all(stamps_.host(), static_cast<std::size_t>(2 * kSlots));
  return clock_mhz(all.first(kSlots), all.last(kSlots), step_ns_);
}

}  // namespace bench::device
