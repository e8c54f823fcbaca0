// SPDX-License-Identifier: Apache-2.0
// What several threads give together: they begin each rate at the same time, so that what they share (bandwidth, clock) shows.
#pragma once

#include <cstdint>

namespace bench::jobs {

/// The sum over `threads` threads of what `rate()` returns on each.
template <class Rate>
double on_threads(std::int64_t threads, Rate&& rate) {
  double sum = 0.0;
#pragma omp parallel num_threads(static_cast <int>(threads)) reduction(+ : sum)
  {
#pragma omp barrier
    sum += rate();
  }
  return sum;
}

}  // namespace bench::jobs
