// SPDX-License-Identifier: Apache-2.0
// A rank's share of a scan as a problem of its own: its steps and the sequences that begin among them, also one that begins with the first.
#pragma once

#include "kernels/scan/segments.hpp"

namespace bench::scan {

template <class P>
P share_of(const P& whole, int rank) {
  P share = whole;
  const std::int64_t begin = contiguous_begin(whole.seq, whole.ranks, rank), end = contiguous_begin(whole.seq, whole.ranks, rank + 1);
  share.seq = end - begin;
  share.ranks = 1;
  share.starts.clear();
  for (const std::int64_t t : whole.starts)
    if (t >= begin && t < end) share.starts.push_back(t - begin);
  return share;
}

}  // namespace bench::scan
