// SPDX-License-Identifier: Apache-2.0
// What the memory gives to the core that the calling thread runs on, over a working set of a given size: the level of memory that holds it.
#pragma once

#include <cstdint>

#include "jobs/clock.hpp"

namespace bench::jobs {

/// Bytes a second of a[i] = b[i] + s c[i] over three fp64 arrays of `bytes` in all, 24 bytes an element; with cached or streamed stores,
/// whichever is faster (McCalpin's STREAM). Streamed stores save the read of a's lines once they leave the caches.
double triad_rate(const Clock& clock, std::int64_t bytes);

/// Bytes a second of a[i] = b[i] over two arrays of `bytes` in all, read and written bytes both counted; the better of cached and streamed stores.
double copy_rate(const Clock& clock, std::int64_t bytes);

/// Bytes a second of adding up an array of `bytes`, in one stream or four, whichever is faster: nothing is written.
double read_rate(const Clock& clock, std::int64_t bytes);

}  // namespace bench::jobs
