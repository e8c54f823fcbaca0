// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_share.hpp"

#include <cstring>

#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_record.hpp"
#include "kernels/scan/recurrence_rows.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChannelGrain = 16;  // threads share no cache line of a state row

/// This rank's steps of one batch entry, channels of one part.
RowBlock share_of_entry(const RecurrenceProblem& p, Tensors& tensors, std::int64_t entry, Range channels, int rank) {
  RowBlock block;
  block.dtype = p.dtype;
  block.rows = tensors["a"].shape()[1];
  block.channels = block.stride = p.channels;
  const std::int64_t offset = entry * block.rows * p.channels * size_of(p.dtype);
  block.a = tensors["a"].data() + offset;
  block.b = tensors["b"].data() + offset;
  block.h = tensors["h"].data() + offset;
  block.streams = streams_pay(p.dtype, p.batch * block.rows, p.channels);
  block.segments = p.segments(rank);
  return block.slice_channels(channels.begin, channels.end);
}

/// Calls step(block, index of its first state) for every part of the channels and every batch entry.
template <class Step>
void for_each_block(const RecurrenceProblem& p, Tensors& tensors, int rank, Step&& step) {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const Range channels = part_of(p.channels, kChannelGrain, p.threads, part);
    for (std::int64_t i = 0; i < p.batch && channels.size() > 0; ++i)
      step(share_of_entry(p, tensors, i, channels, rank), i * p.channels + channels.begin);
  }
}

template <class S>
void scan_share(const RecurrenceProblem& p, Tensors& tensors, Context& context, Exchange how) {
  Link& link = *context.link;
  const auto record_bytes = static_cast<std::size_t>(2 * p.batch * p.channels) * sizeof(S);
  RecurrenceRecord<S> record(context.workspace.subspan(0, record_bytes));
  record.clear();
  if (link.rank() + 1 < link.size())  // nobody needs the last rank's carry
    for_each_block(p, tensors, link.rank(), [&](const RowBlock& block, std::int64_t at) {
      carry_rows(block, reinterpret_cast<std::byte*>(record.product.data() + at),
                 reinterpret_cast<std::byte*>(record.end.data() + at));
    });

  Tensor& h_last = tensors["h_last"];
  const std::span<std::byte> state(h_last.data(), static_cast<std::size_t>(h_last.bytes()));
  std::memcpy(state.data(), tensors["h0"].data(), state.size());
  start_state(how, link, recurrence_rules<S>(), context.workspace.subspan(0, record_bytes), state,
              context.workspace.subspan(record_bytes));
  for_each_block(p, tensors, link.rank(), [&](const RowBlock& block, std::int64_t at) {
    scan_rows(block, reinterpret_cast<std::byte*>(h_last.as<S>() + at));
  });
  broadcast_from_last(link, state);
}

}  // namespace

std::int64_t recurrence_share_bytes(const Problem& problem, Exchange how) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  const std::int64_t state = p.batch * p.channels * size_of(state_dtype(p.dtype));
  return 2 * state + exchange_room(how, p.ranks, 2 * state, state);
}

void scan_recurrence_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.dtype == DType::f64) return scan_share<double>(p, tensors, context, how);
  scan_share<float>(p, tensors, context, how);
}

}  // namespace bench::scan
