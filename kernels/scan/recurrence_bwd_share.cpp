// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_bwd_share.hpp"

#include <cstring>

#include "kernels/scan/recurrence_record.hpp"
#include "kernels/scan/recurrence_rows.hpp"
#include "kernels/scan/reversed_link.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChannelGrain = 16;  // threads share no cache line of a state row

/// Where things lie in the workspace; S is the state's type.
template <class S>
struct Room {
  std::span<std::byte> record, before, sent, received, exchange;
  explicit Room(const RecurrenceProblem& p, std::span<std::byte> workspace) {
    const auto states = static_cast<std::size_t>(p.batch * p.channels);
    const auto row_bytes = states * static_cast<std::size_t>(size_of(p.dtype));
    const auto take = [&](std::size_t bytes) {
      const auto part = workspace.first(bytes);
      workspace = workspace.subspan(bytes);
      return part;
    };
    record = take(2 * states * sizeof(S));
    before = take(states * sizeof(S));
    exchange = take(workspace.size() - 2 * row_bytes);
    sent = take(row_bytes);
    received = take(row_bytes);
  }
};

/// The last row of h of every entry goes to the next rank, if that has steps. Shares are contiguous and those
/// without steps come last, so a rank with steps has a lower neighbour with steps.
std::unique_ptr<Transfer> post_halo(const RecurrenceProblem& p, const Tensor& h, Link& link,
                                    std::span<std::byte> sent, std::span<std::byte> received) {
  const int ranks = link.size(), me = link.rank();
  const std::int64_t rows = h.shape()[1];
  const bool sends = me + 1 < ranks && me + 1 < p.seq, receives = me > 0 && me < p.seq;
  const std::size_t row_bytes = sent.size() / static_cast<std::size_t>(p.batch);
  for (std::int64_t i = 0; i < p.batch && sends; ++i)
    std::memcpy(sent.data() + static_cast<std::size_t>(i) * row_bytes,
                h.data() + static_cast<std::size_t>((i + 1) * rows - 1) * row_bytes, row_bytes);
  return link.post(sends ? sent : std::span<std::byte>(), (me + 1) % ranks,
                   receives ? received : std::span<std::byte>(), (me - 1 + ranks) % ranks);
}

/// Calls step(block, index of its first state) for every part of the channels and every batch entry.
template <class Step>
void for_each_block(const RecurrenceProblem& p, Tensors& tensors, const std::byte* before, int rank, Step&& step) {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const Range channels = part_of(p.channels, kChannelGrain, p.threads, part);
    for (std::int64_t i = 0; i < p.batch && channels.size() > 0; ++i)
      step(back_block_of_entry(p, tensors, before, i, rank).slice_channels(channels.begin, channels.end),
           i * p.channels + channels.begin);
  }
}

/// h before this rank's first step, in the state's type.
template <class S>
void set_before(const RecurrenceProblem& p, const Tensors& tensors, int rank, std::span<const std::byte> row,
                std::span<std::byte> before) {
  if (rank == 0) {
    std::memcpy(before.data(), tensors["h0"].data(), before.size());
  } else {
    dispatch(p.dtype, [&]<class T>() {
      const auto* from = reinterpret_cast<const T*>(row.data());
      auto* to = reinterpret_cast<S*>(before.data());
      for (std::size_t i = 0; i < before.size() / sizeof(S); ++i) to[i] = static_cast<S>(load(from[i]));
    });
  }
}

template <class S>
void scan_share(const RecurrenceProblem& p, Tensors& tensors, Context& context, Exchange how) {
  Link& link = *context.link;
  ReversedLink reversed(link);
  const Room<S> room(p, context.workspace);
  const auto halo = post_halo(p, tensors["h"], link, room.sent, room.received);
  RecurrenceRecord<S> record(room.record);
  record.clear();
  if (link.rank() > 0)  // nobody needs the first rank's carry
    for_each_block(p, tensors, room.before.data(), link.rank(), [&](const BackRowBlock& block, std::int64_t at) {
      carry_rows_back(block, reinterpret_cast<std::byte*>(record.product.data() + at),
                      reinterpret_cast<std::byte*>(record.end.data() + at));
    });
  halo->wait();
  set_before<S>(p, tensors, link.rank(), room.received, room.before);

  Tensor& dh0 = tensors["dh0"];
  const std::span<std::byte> state(dh0.data(), static_cast<std::size_t>(dh0.bytes()));
  std::memcpy(state.data(), tensors["dh_last"].data(), state.size());
  start_state(how, reversed, recurrence_rules<S>(), room.record, state, room.exchange);
  for_each_block(p, tensors, room.before.data(), link.rank(), [&](const BackRowBlock& block, std::int64_t at) {
    scan_rows_back(block, reinterpret_cast<std::byte*>(dh0.as<S>() + at));
  });
  broadcast_from_last(reversed, state);
}

}  // namespace

BackRowBlock back_block_of_entry(const RecurrenceProblem& p, Tensors& tensors, const std::byte* h_before,
                                 std::int64_t entry, int rank) {
  BackRowBlock block;
  block.dtype = p.dtype;
  block.rows = tensors["a"].shape()[1];
  block.channels = block.stride = p.channels;
  const std::int64_t offset = entry * block.rows * p.channels * size_of(p.dtype);
  block.a = tensors["a"].data() + offset;
  block.g = tensors["dh"].data() + offset;
  block.h = tensors["h"].data() + offset;
  block.h_before = h_before + entry * p.channels * size_of(state_dtype(p.dtype));
  block.da = tensors["da"].data() + offset;
  block.db = tensors["db"].data() + offset;
  block.streams = streams_pay(p.dtype, p.batch * block.rows, p.channels);
  block.segments = p.segments(rank);
  return block;
}

std::int64_t recurrence_bwd_share_bytes(const Problem& problem, Exchange how) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  const std::int64_t states = p.batch * p.channels, state = states * size_of(state_dtype(p.dtype));
  return 3 * state + 2 * states * size_of(p.dtype) + exchange_room(how, p.ranks, 2 * state, state);
}

void scan_recurrence_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.dtype == DType::f64) return scan_share<double>(p, tensors, context, how);
  scan_share<float>(p, tensors, context, how);
}

}  // namespace bench::scan
