// SPDX-License-Identifier: Apache-2.0
#include "jobs/stream_sweep.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace bench::jobs {

Sweep sweep_of(std::int64_t bytes, std::int64_t sm_count, std::int64_t traffic) {
  const std::int64_t count = bytes / kPieceBytes;
  BS_REQUIRE(count > 0 && count < std::int64_t{1} << 31, "a sweep over ", bytes, " bytes");
  Sweep sweep{.count = static_cast<std::uint32_t>(count), .blocks = static_cast<std::uint32_t>(kBlocksPerSm * sm_count)};
  const std::int64_t pieces = std::max(count, traffic / kPieceBytes);
  const std::int64_t at_once = kAtOnce * sweep.threads();
  sweep.visits = kAtOnce * ((pieces + at_once - 1) / at_once);
  return sweep;
}

std::uint32_t sum_of_words(const Sweep& sweep, std::uint32_t times) {
  std::uint32_t factors = 0, round = 0, rest = 0;
  for (int place = 0; place < 4; ++place) factors += factor_of(place);
  const std::int64_t rounds = sweep.pieces() / sweep.count, left = sweep.pieces() % sweep.count;
  for (std::uint32_t i = 0; i < sweep.count; ++i) {
    round += i * times;
    if (i < left) rest += i * times;
  }
  return factors * (round * static_cast<std::uint32_t>(rounds) + rest);
}

}  // namespace bench::jobs
