// SPDX-License-Identifier: Apache-2.0
#include "src/device/queue_depth.hpp"

#include <cuda_runtime.h>

#include <algorithm>

#include "src/device/check.hpp"
#include "src/device/valve.hpp"

namespace bench::device {
namespace {

constexpr int kTries = 3;
constexpr double kTry_s = 0.1;  // kMostLaunches take some 20 ms

__global__ void nothing() {}

void launch_nothing(const Stream& stream) {
  nothing<<<1, 1, 0, stream.get()>>>();
  BS_CUDA(cudaGetLastError());
}

/// No clock is needed to see that a launch waited: the valve can only have given up meanwhile.
std::int64_t launches_taken(const Stream& stream) {
  Valve valve(stream, kTry_s);
  valve.close();
  for (std::int64_t taken = 0; taken < kMostLaunches; ++taken) {
    launch_nothing(stream);
    if (valve.timed_out()) return taken;
  }
  return kMostLaunches;
}

}  // namespace

std::int64_t probe_queue_depth(const Stream& stream) {
  launch_nothing(stream);  // loads it: not to be done behind the valve
  stream.wait();
  std::int64_t depth = 0;
  for (int i = 0; i < kTries && depth < kMostLaunches; ++i) depth = std::max(depth, launches_taken(stream));
  return depth;
}

}  // namespace bench::device
