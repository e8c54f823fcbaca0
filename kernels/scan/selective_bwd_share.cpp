// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_bwd_share.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/scan/reversed_link.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective_bwd_block.hpp"
#include "kernels/scan/selective_record.hpp"

namespace bench::scan {
namespace {

/// The workspace, in states of type S. Made once with a null pointer to learn its size.
template <class S>
struct Room {
  S *record, *back_record;  // carries: B C sums of d, then B C N end states
  S* start;                 // (B, C, N): the states before the share
  S* exchange;
  S* kept;             // per block of steps and entry: sums of d (C), states (C, N)
  S* sums;             // dA (C, N), dD (C), ddelta_bias (C); then dh0 (B, C, N), for one broadcast
  S* others;           // room for another rank's dA, dD, ddelta_bias
  S* mixers;           // per thread and group: dB, dC of a block of steps, (64, padded N) each
  S* scratch;          // per thread
  std::int64_t total;  // of all these

  Room(const SelectiveProblem& p, Exchange how, S* from) {
    total = 0;
    const auto take = [this, from](std::int64_t states) {
      S* const part = from == nullptr ? nullptr : from + total;
      total += ceil_div(states, 16) * 16;  // whole lines, so that threads share none
      return part;
    };
    const BackShare<S> shape{.states = p.state};
    const std::int64_t states = p.batch * p.channels * p.state, record_states = selective_record_states(p);
    const std::int64_t blocks = p.segments().most_pieces(ceil_div(p.seq, p.ranks), kBackSteps), size = sizeof(S);
    record = take(record_states);
    back_record = take(record_states);
    start = take(states);
    exchange = take(exchange_room(how, p.ranks, record_states * size, states * size) / size);
    kept = take(blocks * record_states);
    sums = take(sum_count(p) + states);
    others = take(sum_count(p));
    mixers = take(p.threads * p.groups * 2 * kBackSteps * shape.padded());
    scratch = take(p.threads * scratch_stride(shape.padded()));
  }
  static std::int64_t sum_count(const SelectiveProblem& p) { return p.channels * (p.state + 2); }
  static std::int64_t scratch_stride(std::int64_t padded) {
    return ceil_div(BackScratch<S>::states(padded), 16) * 16;
  }
};

/// One rank's pass.
template <class T>
struct Pass {
  using S = StateOf<T>;
  const SelectiveProblem& p;
  Tensors& tensors;
  Room<S> room;
  BackShare<T> share;
  Segments segments;
  std::int64_t padded;

  Pass(const SelectiveProblem& problem, Tensors& all, int rank, std::span<std::byte> workspace, Exchange how)
      : p(problem),
        tensors(all),
        room(problem, how, reinterpret_cast<S*>(workspace.data())),
        segments(problem.segments(rank)) {
    const Tensors& in = all;
    share = {.rows = in["u"].shape()[1],
             .channels = p.channels,
             .states = p.state,
             .groups = p.groups,
             .u = in["u"].as<T>(),
             .delta = in["delta"].as<T>(),
             .z = in["z"].as<T>(),
             .dout = in["dout"].as<T>(),
             .b = in["B"].as<T>(),
             .c = in["C"].as<T>(),
             .a = in["A"].as<S>(),
             .skip = in["D"].as<S>(),
             .bias = in["delta_bias"].as<S>(),
             .du = all["du"].as<T>(),
             .ddelta = all["ddelta"].as<T>(),
             .dz = all["dz"].as<T>()};
    padded = share.padded();
  }

  /// Blocks of channels, none across a group.
  std::int64_t blocks_per_group() const { return ceil_div(p.group_channels(), kBackChannels); }
  Range channel_blocks_of(std::int64_t part) const {
    return part_of(p.groups * blocks_per_group(), 1, p.threads, part);
  }
  Range channels_of(std::int64_t block) const {
    const std::int64_t group = block / blocks_per_group(), first = block % blocks_per_group() * kBackChannels;
    const std::int64_t begin = group * p.group_channels();
    return {begin + first, begin + std::min(first + kBackChannels, p.group_channels())};
  }

  Kept<S> kept_of(std::int64_t entry, std::int64_t block) const {
    S* sums = room.kept + (block * p.batch + entry) * p.channels * (1 + p.state);
    return {sums, sums + p.channels};
  }
  BackScratch<S> scratch_of(std::int64_t part) const {
    return {room.scratch + part * Room<S>::scratch_stride(padded), padded};
  }
  /// dB of a thread's channels in one group; dC lies behind it.
  S* mixers_of(std::int64_t part, std::int64_t group) const {
    return room.mixers + (part * p.groups + group) * 2 * kBackSteps * padded;
  }

  /// Calls visit(block, scratch) for the channels of one part in order, with B and C of the steps widened;
  /// enter(group) comes before the first block of a group.
  template <class Enter, class Visit>
  void for_each_block(std::int64_t entry, std::int64_t part, Range steps, Enter&& enter,
                      Visit&& visit) const {
    const BackScratch<S> scratch = scratch_of(part);
    const Range blocks = channel_blocks_of(part);
    for (std::int64_t i = blocks.begin; i < blocks.end; ++i) {
      const BackBlock block{entry, i / blocks_per_group(), channels_of(i), steps};
      if (i == blocks.begin || i % blocks_per_group() == 0) {
        load_mixers(share, block, scratch);
        enter(block.group);
      }
      visit(block, scratch);
    }
  }

  std::int64_t survey_all(bool back) const;
  void settle_block(std::int64_t entry, std::int64_t block, Range steps) const;
  void add_mixers(std::int64_t entry, Range steps) const;
};

/// A packed sequence begins: nothing of the states before it is left.
template <class S>
void forget(const BackCarries<S>& carries, Range channels, std::int64_t states) {
  std::fill_n(carries.delta_sum + channels.begin, channels.size(), kForgets<S>);
  std::fill_n(carries.end + channels.begin * states, channels.size() * states, S{0});
}

/// Returns how many blocks of steps there are.
template <class T>
std::int64_t Pass<T>::survey_all(bool back) const {
  const std::int64_t sums = p.batch * p.channels;
  std::int64_t count = 0;
  for (Range steps{}; steps.end < share.rows; ++count) steps = segments.piece_at(steps.end, share.rows, kBackSteps);
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    for (std::int64_t i = 0; i < p.batch; ++i) {
      const std::int64_t states = i * p.channels * p.state;
      const BackCarries<S> carries{room.record + i * p.channels, room.record + sums + states,
                                   back ? room.back_record + sums + states : nullptr};
      Range steps{};
      for (std::int64_t k = 0; k < count; ++k) {
        steps = segments.piece_at(steps.end, share.rows, kBackSteps);
        const bool starts = segments.start_at(steps.begin);
        for_each_block(
            i, part, steps, [](std::int64_t) {},
            [&](const BackBlock& block, const BackScratch<S>& scratch) {
              if (starts) forget(carries, block.channels, p.state);
              survey(share, block, scratch, carries, kept_of(i, k));
            });
      }
    }
  }
  std::copy_n(room.record, sums, room.back_record);  // the same steps take the same time
  return count;
}

template <class T>
void Pass<T>::settle_block(std::int64_t entry, std::int64_t k, Range steps) const {
  S* da = room.sums;
  S* dskip = da + p.channels * p.state;
  S* dh0 = tensors["dh0"].as<S>();
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    for_each_block(
        entry, part, steps,
        [&](std::int64_t group) { std::fill_n(mixers_of(part, group), 2 * kBackSteps * padded, S{0}); },
        [&](const BackBlock& block, const BackScratch<S>& scratch) {
          const std::int64_t states = entry * p.channels * p.state;
          S* db = mixers_of(part, block.group);
          const Settled<S> to{room.start + states, dh0 + states, db, db + kBackSteps * padded, da, dskip,
                              dskip + p.channels};
          settle(share, block, scratch, kept_of(entry, k), to);
          if (segments.start_at(steps.begin))
            std::fill_n(to.later + block.channels.begin * p.state, block.channels.size() * p.state, S{0});
        });
  }
}

/// dB and dC of one block of steps: the sums of the threads that have channels of the group, in order.
template <class T>
void Pass<T>::add_mixers(std::int64_t entry, Range steps) const {
  S *db = tensors["dB"].as<S>(), *dc = tensors["dC"].as<S>();
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
  for (std::int64_t t = steps.begin; t < steps.end; ++t) {
    const std::int64_t first = (entry * share.rows + t) * p.groups * p.state;
    std::fill_n(db + first, p.groups * p.state, S{0});
    std::fill_n(dc + first, p.groups * p.state, S{0});
    for (std::int64_t part = 0; part < p.threads; ++part) {
      const Range blocks = channel_blocks_of(part);
      if (blocks.size() == 0) continue;
      for (std::int64_t g = blocks.begin / blocks_per_group(); g <= (blocks.end - 1) / blocks_per_group();
           ++g) {
        const S* from = mixers_of(part, g) + (t - steps.begin) * padded;
        for (std::int64_t n = 0; n < p.state; ++n) {
          db[first + g * p.state + n] += from[n];
          dc[first + g * p.state + n] += from[kBackSteps * padded + n];
        }
      }
    }
  }
}

template <class S>
std::span<std::byte> bytes_of(S* from, std::int64_t states) {
  return {reinterpret_cast<std::byte*>(from), static_cast<std::size_t>(states) * sizeof(S)};
}

/// dA, dD, ddelta_bias of all ranks and dh0 of the first, to all ranks.
template <class S>
void share_sums(const SelectiveProblem& p, Tensors& tensors, const Room<S>& room, Link& reversed) {
  const std::int64_t count = Room<S>::sum_count(p), states = p.batch * p.channels * p.state;
  const auto add = [](std::span<const std::byte> other, std::span<std::byte> mine) {
    const auto* from = reinterpret_cast<const S*>(other.data());
    auto* to = reinterpret_cast<S*>(mine.data());
    for (std::size_t i = 0; i < mine.size() / sizeof(S); ++i) to[i] += from[i];
  };
  reduce_to_last(reversed, bytes_of(room.sums, count), bytes_of(room.others, count), add);
  std::copy_n(tensors["dh0"].as<S>(), states, room.sums + count);
  broadcast_from_last(reversed, bytes_of(room.sums, count + states));
  const S* from = room.sums;
  for (const char* name : {"dA", "dD", "ddelta_bias", "dh0"}) {
    std::copy_n(from, tensors[name].count(), tensors[name].as<S>());
    from += tensors[name].count();
  }
}

template <class T>
void run_share(const SelectiveProblem& p, Tensors& tensors, Context& context, Exchange how) {
  using S = StateOf<T>;
  Link& link = *context.link;
  const Pass<T> pass(p, tensors, link.rank(), context.workspace, how);
  const Room<S>& room = pass.room;
  ReversedLink reversed(link);
  const std::int64_t records = selective_record_states(p), states = p.batch * p.channels * p.state;
  std::fill_n(room.record, records, S{0});
  std::fill_n(room.back_record, records, S{0});
  std::fill_n(room.sums, Room<S>::sum_count(p), S{0});
  const std::int64_t blocks = pass.survey_all(link.size() > 1);

  const CarryRules rules = selective_rules<S>(p, pass.share.a);
  const auto exchange = bytes_of(room.exchange, exchange_room(how, p.ranks, records * std::int64_t{sizeof(S)},
                                                              states * std::int64_t{sizeof(S)}) /
                                                    std::int64_t{sizeof(S)});
  S* dh0 = tensors["dh0"].as<S>();
  std::copy_n(tensors["h0"].as<S>(), states, room.start);
  std::copy_n(tensors["dh_last"].as<S>(), states, dh0);
  start_state(how, link, rules, bytes_of(room.record, records), bytes_of(room.start, states), exchange);
  start_state(how, reversed, rules, bytes_of(room.back_record, records), bytes_of(dh0, states), exchange);

  for (std::int64_t i = 0; i < p.batch; ++i) {
    Range steps{pass.share.rows, pass.share.rows};
    for (std::int64_t k = blocks - 1; k >= 0; --k) {
      steps = pass.segments.piece_before(steps.begin, kBackSteps);
      pass.settle_block(i, k, steps);
      pass.add_mixers(i, steps);
    }
  }
  share_sums(p, tensors, room, reversed);
}

}  // namespace

std::int64_t selective_bwd_share_bytes(const Problem& problem, Exchange how) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.dtype == DType::f64) return Room<double>(p, how, nullptr).total * std::int64_t{sizeof(double)};
  return Room<float>(p, how, nullptr).total * std::int64_t{sizeof(float)};
}

void scan_selective_bwd_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  dispatch(p.dtype, [&]<class T>() { run_share<T>(p, tensors, context, how); });
}

}  // namespace bench::scan
