// SPDX-License-Identifier: Apache-2.0
// Moving carries between ranks. A scan across ranks knows, of each rank's share of the steps, a record: the
// map from the state before the share to the state after it. What a rank needs is the state before its own
// share. Three ways to get it, for any op that can combine its records and apply one to a state:
//   exscan     an exclusive scan of the records: ceil(log2 P) + 1 messages of a record
//   chain      the state itself goes from rank to rank: one message of a state, after P - 1 hops for the last
//   allgather  every rank gets all records and applies the lower ones itself: P - 1 records sent
// Each calls the Link alike on every run, so the bits do not depend on timing. None depends on L.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "src/core/link.hpp"

namespace bench::scan {

enum class Exchange : std::uint8_t { exscan, chain, allgather };

/// What an op's records mean. Records and states are byte strings whose lengths never change within a run.
struct CarryRules {
  /// Makes `record` that of no steps at all.
  std::function<void(std::span<std::byte> record)> clear;
  /// later <- the record of both runs; `earlier` was run first.
  Link::Combine combine;
  /// state <- the state after the run of `record`; what is left in `record` has no meaning.
  std::function<void(std::span<std::byte> record, std::span<std::byte> state)> apply;
};

/// Bytes of room that start_state needs besides the record.
std::int64_t exchange_room(Exchange how, std::int64_t ranks, std::int64_t record_bytes,
                           std::int64_t state_bytes);

/// Collective. On entry `record` is this rank's (the highest rank's may have any finite value) and `state`
/// the state before the first rank's steps, equal on all ranks; on return `state` is the one before this
/// rank's steps. `record` and `room` are spent.
void start_state(Exchange how, Link& link, const CarryRules& rules, std::span<std::byte> record,
                 std::span<std::byte> state, std::span<std::byte> room);

/// Adds up all ranks' `mine` on the highest rank, in an order that depends on P alone; on the others what is
/// left in `mine` has no meaning. `room` is as long as `mine`; `add` is mine <- mine + other. ceil(log2 P)
/// rounds; each rank but the highest sends once.
void reduce_to_last(
    Link& link, std::span<std::byte> mine, std::span<std::byte> room,
    const std::function<void(std::span<const std::byte> other, std::span<std::byte> mine)>& add);

/// Copies `bytes` of the highest rank to all ranks, in ceil(log2 P) rounds; each rank sends at most that many
/// times, most of them once or never. Point to point only, so every back end gives the same bits.
void broadcast_from_last(Link& link, std::span<std::byte> bytes);

}  // namespace bench::scan
