// SPDX-License-Identifier: Apache-2.0
// What every Link promises, as functions that each rank of a group calls together. A back end's test runs the
// whole table, so that self, threads, MPI and simulated ranks are held to the same laws. Failures are
// recorded with EXPECT, so no rank leaves early and hangs the others.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "src/core/link.hpp"
#include "tests/support/collective_laws.hpp"

namespace bench::test {

using Bytes = std::vector<std::byte>;

/// Byte i of the message that `rank` sends in `round`: differs between neighbouring ranks, rounds and
/// offsets.
inline Bytes link_message(int rank, int round, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(
        (i * 31 + static_cast<std::size_t>(rank) * 7 + static_cast<std::size_t>(round) * 13) & 0xFF);
  }
  return bytes;
}

inline int link_neighbour(const Link& link, int distance) {
  return (link.rank() + distance + link.size()) % link.size();
}

// Empty; one byte; odd and below every eager limit; just past a page; past MPI's eager limits, so a
// rendezvous.
constexpr std::array<std::size_t, 5> kMessageSizes{0, 1, 333, 4097, (std::size_t{1} << 20) + 3};

/// A step round the ring brings the lower neighbour's bytes.
inline void law_ring_step_brings_the_neighbours_bytes(Link& link) {
  for (const std::size_t size : kMessageSizes) {
    const Bytes out = link_message(link.rank(), 0, size);
    Bytes in(size);
    link.sendrecv(out, link_neighbour(link, 1), in, link_neighbour(link, -1));
    EXPECT_TRUE(in == link_message(link_neighbour(link, -1), 0, size))
        << "rank " << link.rank() << ", " << size << " bytes";
  }
}

/// Every distance, so also to oneself, with compute (progress) between post and wait.
inline void law_any_rank_reaches_any_other(Link& link) {
  constexpr std::size_t size = 70001;  // more than one 32 KiB or 64 KiB fragment of a shared-memory transport
  for (int distance = 0; distance < link.size(); ++distance) {
    const Bytes out = link_message(link.rank(), distance, size);
    Bytes in(size);
    const auto transfer = link.post(out, link_neighbour(link, distance), in, link_neighbour(link, -distance));
    for (int poll = 0; poll < 4; ++poll) link.progress();
    transfer->wait();
    EXPECT_TRUE(in == link_message(link_neighbour(link, -distance), distance, size))
        << "distance " << distance;
  }
}

/// Messages between two ranks match in the order of the posts, whatever the order of the waits; waiting twice
/// is harmless.
inline void law_messages_match_in_the_order_of_their_posts(Link& link) {
  constexpr int rounds = 3;
  constexpr std::size_t size = 9000;
  std::array<Bytes, rounds> out, in;
  std::array<std::unique_ptr<Transfer>, rounds> transfers;
  for (std::size_t r = 0; r < rounds; ++r) {
    out[r] = link_message(link.rank(), static_cast<int>(r), size);
    in[r].resize(size);
    transfers[r] = link.post(out[r], link_neighbour(link, 1), in[r], link_neighbour(link, -1));
  }
  for (std::size_t r = rounds; r-- > 0;) transfers[r]->wait();
  transfers[0]->wait();
  for (std::size_t r = 0; r < rounds; ++r) {
    EXPECT_TRUE(in[r] == link_message(link_neighbour(link, -1), static_cast<int>(r), size)) << "post " << r;
  }
}

/// Zero bytes one way and many the other is what exscan and a ring's last step do.
inline void law_the_two_directions_may_differ_in_length(Link& link) {
  if (link.size() == 1) return;  // to oneself both directions are the same message
  const auto length = [](int rank) {
    return rank % 2 == 0 ? std::size_t{0} : std::size_t{5000} + static_cast<std::size_t>(rank);
  };
  const int from = link_neighbour(link, -1);
  const Bytes out = link_message(link.rank(), 0, length(link.rank()));
  Bytes in(length(from));
  link.sendrecv(out, link_neighbour(link, 1), in, from);
  EXPECT_TRUE(in == link_message(from, 0, length(from)));
}

inline void law_allgather_is_in_rank_order(Link& link) {
  for (const std::size_t size : kMessageSizes) {
    const Bytes mine = link_message(link.rank(), 1, size);
    Bytes all(size * static_cast<std::size_t>(link.size()));
    link.allgather(mine, all);
    for (int r = 0; r < link.size(); ++r) {
      const Bytes expected = link_message(r, 1, size);
      EXPECT_TRUE(std::ranges::equal(std::span(all).subspan(static_cast<std::size_t>(r) * size, size), expected)) << "rank " << r << "'s part";
    }
  }
}

// 2x2 integer matrices modulo a prime: associative, exact, and as good as never commuting.
using Matrix = std::array<std::uint64_t, 4>;
inline Matrix multiply(const Matrix& a, const Matrix& b) {
  constexpr std::uint64_t p = 1'000'003;
  return {(a[0] * b[0] + a[1] * b[2]) % p, (a[0] * b[1] + a[1] * b[3]) % p, (a[2] * b[0] + a[3] * b[2]) % p,
          (a[2] * b[1] + a[3] * b[3]) % p};
}
inline Matrix link_matrix(int rank) {
  const auto r = static_cast<std::uint64_t>(rank);
  return {r + 2, 2 * r + 1, 3 * r + 7, r * r + 5};
}

inline void combine_matrices(std::span<const std::byte> earlier, std::span<std::byte> later) {
  Matrix a, b;
  std::memcpy(a.data(), earlier.data(), sizeof a);
  std::memcpy(b.data(), later.data(), sizeof b);
  b = multiply(a, b);
  std::memcpy(later.data(), b.data(), sizeof b);
}

/// exscan equals the serial product of the lower ranks' records, in rank order; rank 0 gets the identity.
inline void law_exscan_keeps_the_order_of_the_ranks(Link& link) {
  const Matrix identity{1, 0, 0, 1};
  Matrix expected = identity;
  for (int r = 0; r < link.rank(); ++r) expected = multiply(expected, link_matrix(r));
  Matrix record = link_matrix(link.rank());
  link.exscan(std::as_writable_bytes(std::span(record)), std::as_bytes(std::span(identity)),
              combine_matrices);
  EXPECT_EQ(record, expected) << "rank " << link.rank() << " of " << link.size();
}

/// Only payload to other ranks counts: a message to oneself and a barrier touch no wire.
inline void law_bytes_sent_counts_payload_to_others(Link& link) {
  const std::int64_t before = link.bytes_sent();
  const Bytes out = link_message(link.rank(), 0, 1000);
  Bytes in(1000);
  link.sendrecv(out, link_neighbour(link, 1), in, link_neighbour(link, -1));
  link.sendrecv(out, link.rank(), in, link.rank());
  link.barrier();
  Bytes all(100 * static_cast<std::size_t>(link.size()));
  link.allgather(std::span(out).first(100), all);
  const std::int64_t others = link.size() - 1;
  EXPECT_EQ(link.bytes_sent() - before, (others > 0 ? 1000 : 0) + 100 * others);
}

inline void law_calls_of_all_kinds_may_follow_each_other(Link& link) {
  for (int round = 0; round < 20;
       ++round) {  // enough that a fast rank laps a slow one if a barrier or a match were to leak
    law_exscan_keeps_the_order_of_the_ranks(link);
    link.barrier();
    const Bytes out = link_message(link.rank(), round, 64);
    Bytes in(64);
    link.sendrecv(out, link_neighbour(link, 1), in, link_neighbour(link, -1));
    EXPECT_TRUE(in == link_message(link_neighbour(link, -1), round, 64)) << "round " << round;
    Bytes all(out.size() * static_cast<std::size_t>(link.size()));
    link.allgather(out, all);
    std::array<float, 5> ones{1, 1, 1, 1, 1}, sum{};
    link.allreduce(DType::f32, std::as_bytes(std::span(ones)), std::as_writable_bytes(std::span(sum)));
    EXPECT_EQ(sum[4], static_cast<float>(link.size())) << "round " << round;
  }
}

struct LinkLaw {
  const char* name;
  void (*check)(Link&);
};
inline constexpr std::array<LinkLaw, 14> kLinkLaws{{
    {"ring_step_brings_the_neighbours_bytes", law_ring_step_brings_the_neighbours_bytes},
    {"any_rank_reaches_any_other", law_any_rank_reaches_any_other},
    {"messages_match_in_the_order_of_their_posts", law_messages_match_in_the_order_of_their_posts},
    {"the_two_directions_may_differ_in_length", law_the_two_directions_may_differ_in_length},
    {"allgather_is_in_rank_order", law_allgather_is_in_rank_order},
    {"exscan_keeps_the_order_of_the_ranks", law_exscan_keeps_the_order_of_the_ranks},
    {"allreduce_gives_every_rank_the_sum", law_allreduce_gives_every_rank_the_sum},
    {"reduce_scatter_gives_each_rank_its_share", law_reduce_scatter_gives_each_rank_its_share},
    {"alltoall_brings_every_ranks_piece", law_alltoall_brings_every_ranks_piece},
    {"the_transports_allgather_is_in_rank_order_too", law_the_transports_allgather_is_in_rank_order_too},
    {"collectives_count_what_has_to_be_sent", law_collectives_count_what_has_to_be_sent},
    {"collectives_refuse_lengths_that_do_not_fit", law_collectives_refuse_lengths_that_do_not_fit},
    {"bytes_sent_counts_payload_to_others", law_bytes_sent_counts_payload_to_others},
    {"calls_of_all_kinds_may_follow_each_other", law_calls_of_all_kinds_may_follow_each_other},
}};

inline void PrintTo(const LinkLaw& law, std::ostream* out) {
  *out << law.name;
}

}  // namespace bench::test
