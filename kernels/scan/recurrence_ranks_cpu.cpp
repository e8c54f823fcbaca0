// SPDX-License-Identifier: Apache-2.0
// recurrence_ranks_cpu: h_t = a_t * h_{t-1} + b_t with the steps cut over ranks, a contiguous run each.
//
// Shapes per rank: a, b, h (B, l, C) with l its share of L (may be 0); h0, h_last (B, C) whole on every rank.
//
// Algorithm ("state first"):
//   (1) each rank but the last carries its share from zero: record (prod a, end state) per entry and channel;
//   (2) exclusive scan of the records over ranks, earlier on the left:
//       (p1, e1) o (p2, e2) = (p1 p2, p2 e1 + e2);
//   (3) each rank scans its share from its true start state prod * h0 + end;
//   (4) the last rank's state goes to all as h_last.
// The other order, scan from zero and then add prod * start to every h, would read a and h again and write h
// again: 6 streams where this takes 5 (a and b twice, h once), so the work factor against one rank is 5/3.
//
// Wire: ceil(log2 P) + 1 messages of 2 B C states and at most ceil(log2 P) of B C, whatever L.
//
// Error against fp64: as sequential plus some roundings per doubling of P.
//
// Preconditions: link.size() == ranks; L may be smaller than P. Threads cut the channels of a rank.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_rows.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChannelGrain = 16;  // threads share no cache line of a state row

/// Workspace: the record (products, end states: B C each), the identity of the same size.
std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  return 4 * p.batch * p.channels * size_of(state_dtype(p.dtype));
}

/// This rank's steps of one batch entry, channels of one part.
RowBlock share_of_entry(const RecurrenceProblem& p, Tensors& tensors, std::int64_t entry, Range channels) {
  RowBlock block;
  block.dtype = p.dtype;
  block.rows = tensors["a"].shape()[1];
  block.channels = block.stride = p.channels;
  const std::int64_t offset = entry * block.rows * p.channels * size_of(p.dtype);
  block.a = tensors["a"].data() + offset;
  block.b = tensors["b"].data() + offset;
  block.h = tensors["h"].data() + offset;
  block.streams = streams_pay(p.dtype, p.batch * block.rows, p.channels);
  return block.slice_channels(channels.begin, channels.end);
}

template <class S>
struct Record {
  std::span<S> product, end;
  Record(std::span<std::byte> bytes) {
    const std::size_t states = bytes.size() / (2 * sizeof(S));
    product = {reinterpret_cast<S*>(bytes.data()), states};
    end = {product.data() + states, states};
  }
  void set_identity() {
    std::ranges::fill(product, S{1});
    std::ranges::fill(end, S{0});
  }
};

template <class S>
void combine(std::span<const std::byte> earlier_bytes, std::span<std::byte> later_bytes) {
  const auto* product = reinterpret_cast<const S*>(earlier_bytes.data());
  Record<S> later(later_bytes);
  const S* end = product + later.product.size();
  for (std::size_t i = 0; i < later.product.size(); ++i) {
    later.end[i] = later.product[i] * end[i] + later.end[i];
    later.product[i] *= product[i];
  }
}

template <class S>
void scan_share(const RecurrenceProblem& p, Tensors& tensors, Context& context) {
  const auto record_bytes = static_cast<std::size_t>(2 * p.batch * p.channels) * sizeof(S);
  const std::span<std::byte> mine = context.workspace.subspan(0, record_bytes);
  const std::span<std::byte> identity = context.workspace.subspan(record_bytes, record_bytes);
  Record<S> record(mine);
  record.set_identity();
  Record<S>(identity).set_identity();
  const int threads = static_cast<int>(p.threads);
  const bool last = context.link->rank() == context.link->size() - 1;  // nobody needs the last rank's carry

#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const Range channels = part_of(p.channels, kChannelGrain, p.threads, part);
    for (std::int64_t i = 0; i < p.batch && !last && channels.size() > 0; ++i) {
      const std::int64_t at = i * p.channels + channels.begin;
      carry_rows(share_of_entry(p, tensors, i, channels),
                 reinterpret_cast<std::byte*>(record.product.data() + at),
                 reinterpret_cast<std::byte*>(record.end.data() + at));
    }
  }

  context.link->exscan(mine, identity, combine<S>);
  S* state = tensors["h_last"].as<S>();
  const S* h0 = tensors["h0"].as<S>();
  for (std::size_t i = 0; i < record.end.size(); ++i) state[i] = record.product[i] * h0[i] + record.end[i];

#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const Range channels = part_of(p.channels, kChannelGrain, p.threads, part);
    for (std::int64_t i = 0; i < p.batch && channels.size() > 0; ++i)
      scan_rows(share_of_entry(p, tensors, i, channels),
                reinterpret_cast<std::byte*>(state + i * p.channels + channels.begin));
  }
  broadcast_from_last(*context.link,
                      {tensors["h_last"].data(), static_cast<std::size_t>(tensors["h_last"].bytes())});
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.dtype == DType::f64) return scan_share<double>(p, tensors, context);
  scan_share<float>(p, tensors, context);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_ranks_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; carries by an exclusive scan, state first",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
