// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ssd_heads.hpp"

#include <omp.h>

#include <algorithm>
#include <numeric>

#include "kernels/scan/ssd_tile.hpp"

namespace bench::scan {
namespace {

/// Strips per head: as many as kSsdElements asks for, more while threads would go without.
std::int64_t strips_of(const SsdProblem& p) {
  const std::int64_t fewest = ceil_div(p.head_dim, kSsdElements), most = ceil_div(p.head_dim, kSsdGrain);
  return std::clamp(ceil_div(p.threads, p.batch * p.heads), fewest, most);
}

/// How many threads share the heads of a group, so that there are as many shares as threads, or a multiple.
std::int64_t parts_of(const SsdProblem& p) {
  const std::int64_t wanted = p.threads / std::gcd(p.threads, p.batch * p.groups);
  return std::min(wanted, p.group_heads() * strips_of(p));
}

}  // namespace

std::int64_t ssd_heads_bytes(const SsdProblem& p) {
  const std::int64_t jobs = p.batch * p.heads * strips_of(p), size = size_of(state_dtype(p.dtype));
  return (jobs * ssd_packed(p.state) + p.threads * ssd_scratch(p.state)) * size +
         jobs * static_cast<std::int64_t>(sizeof(double));
}

template <class T>
void scan_ssd_heads(const SsdProblem& p, const SsdViews<T>& views, StateOf<T>* state, std::byte* workspace) {
  using S = StateOf<T>;
  const std::int64_t strips = strips_of(p), parts = parts_of(p), jobs = p.batch * p.heads * strips;
  S* const packed = reinterpret_cast<S*>(workspace);
  S* const scratch = packed + jobs * ssd_packed(p.state);
  auto* const open = reinterpret_cast<double*>(scratch + p.threads * ssd_scratch(p.state));
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
  for (std::int64_t i = 0; i < p.batch * p.groups * parts; ++i) {
    const SsdShare share{i / parts / p.groups, i / parts % p.groups, strips,
                         part_of(p.group_heads() * strips, 1, parts, i % parts)};
    scan_ssd_share<T>(views, share, state, {packed, open},
                      scratch + omp_get_thread_num() * ssd_scratch(p.state));
  }
}

template void scan_ssd_heads(const SsdProblem&, const SsdViews<double>&, double*, std::byte*);
template void scan_ssd_heads(const SsdProblem&, const SsdViews<float>&, float*, std::byte*);
template void scan_ssd_heads(const SsdProblem&, const SsdViews<Bf16>&, float*, std::byte*);
template void scan_ssd_heads(const SsdProblem&, const SsdViews<F16>&, float*, std::byte*);

}  // namespace bench::scan
