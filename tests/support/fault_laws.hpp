// SPDX-License-Identifier: Apache-2.0
// What distributed code makes of faults, over any back end: a ring and a prefix scan, written against Link
// alone, with one fault at one message. Every rank either has the right answer or an Error of kind timeout or
// comm before its deadline: nobody hangs, nobody has a wrong answer.
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "src/comm/link_faulty.hpp"
#include "tests/support/deadline_laws.hpp"
#include "tests/support/link_laws.hpp"

namespace bench::test {

enum class Ending { right, wrong, gave_up, died };

struct Death : std::runtime_error {
  Death() : std::runtime_error("died by order") {}
};

/// Every rank's block goes once round while the next exchange is in flight; the sum of all bytes met, by
/// source.
inline bool ring_is_right(Link& link, std::size_t size) {
  const int p = link.size();
  Bytes held = link_message(link.rank(), 5, size), next(size);
  bool right = true;
  for (int step = 0; step < p; ++step) {
    const int source = link_neighbour(link, -step);
    if (step + 1 == p) return right && held == link_message(source, 5, size);
    const auto transfer = link.post(held, link_neighbour(link, 1), next, link_neighbour(link, -1));
    right = right && held == link_message(source, 5, size);
    link.progress();
    transfer->wait();
    std::swap(held, next);
  }
  return right;
}

inline bool scan_is_right(Link& link) {
  Matrix expected{1, 0, 0, 1}, record = link_matrix(link.rank());
  const Matrix identity = expected;
  for (int r = 0; r < link.rank(); ++r) expected = multiply(expected, link_matrix(r));
  link.exscan(std::as_writable_bytes(std::span(record)), std::as_bytes(std::span(identity)),
              combine_matrices);
  return record == expected;
}

inline bool gather_is_right(Link& link) {
  const Bytes mine = link_message(link.rank(), 9, 40);
  Bytes all(40 * static_cast<std::size_t>(link.size())), expected;
  link.allgather(mine, all);
  for (int r = 0; r < link.size(); ++r) {
    const Bytes part = link_message(r, 9, 40);
    expected.insert(expected.end(), part.begin(), part.end());
  }
  return all == expected;
}

/// Messages that a rank sends in all of the above and in the barrier that ends them.
inline std::int64_t messages_of_a_case(int ranks) {
  std::int64_t rounds = 0;
  while ((1 << rounds) < ranks) ++rounds;
  const std::int64_t gather = rounds, barrier = rounds;
  return (ranks - 1) + (rounds + 1) + gather + barrier;
}

/// The case on one rank, with the faults. `size` of the ring's blocks in bytes.
inline Ending run_with_faults(Link& inner, const std::vector<comm::Fault>& faults, double deadline_s,
                              std::size_t size) {
  comm::FaultActions actions;
  actions.die = [](const comm::Fault&) { throw Death(); };
  comm::FaultyLink link(inner, faults, actions);
  link.set_deadline(deadline_s);
  try {
    const bool ring = ring_is_right(link, size), scan = scan_is_right(link), gather = gather_is_right(link);
    link.barrier();
    EXPECT_EQ(link.operations(), messages_of_a_case(link.size()));
    return ring && scan && gather ? Ending::right : Ending::wrong;
  } catch (const Death&) {
    return Ending::died;
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::timeout || error.kind() == ErrorKind::comm) << error.what();
    EXPECT_TRUE(link.broken());
    return Ending::gave_up;
  }
}

/// Holds this rank's ending against what the fault allows. A message lost before the closing barrier fails
/// every rank; one lost in the barrier itself fails those that did not hear of the others by another way.
inline void check_ending(const Link& link, const comm::Fault& fault, Ending ending) {
  const std::string where = concat(to_text(fault), ", rank ", link.rank(), " of ", link.size(), ", ending ",
                                   static_cast<int>(ending));
  if (fault.kind == comm::FaultKind::delay || fault.kind == comm::FaultKind::reorder) {
    EXPECT_EQ(ending, Ending::right) << where;
    return;
  }
  EXPECT_NE(ending, Ending::wrong) << where;
  std::int64_t rounds = 0;
  while ((1 << rounds) < link.size()) ++rounds;
  const bool in_barrier = fault.operation >= messages_of_a_case(link.size()) - rounds;
  if (!in_barrier) {
    EXPECT_NE(ending, Ending::right) << where;
  }
  // On a busy machine the victim's own deadline may come first.
  const bool victim = fault.kind == comm::FaultKind::die && fault.rank == link.rank();
  if (victim) {
    EXPECT_TRUE(ending == Ending::died || ending == Ending::gave_up) << where;
  } else {
    EXPECT_NE(ending, Ending::died) << where;
  }
}

}  // namespace bench::test
