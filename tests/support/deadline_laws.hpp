// SPDX-License-Identifier: Apache-2.0
// What every Link of two ranks and more promises about deadlines, as functions that each rank calls together.
// Most of them end with a broken link, so each takes a fresh one. Failures are recorded with EXPECT; nobody
// is left waiting for longer than the deadline.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "src/core/error.hpp"
#include "src/core/link.hpp"
#include "tests/support/link_laws.hpp"

namespace bench::test {

constexpr double kShort_s = 0.15;   // long enough for every rank to be scheduled, short enough to wait for
constexpr double kAmple_s = 100.0;  // no test waits for this one

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Runs `call`, which must end in Error(timeout), or in Error(comm) when a peer gave up first and said so.
/// Then the link is broken, and every further call throws at once, deadline or not.
template <class Call>
void expect_given_up(Link& link, const std::string& whom, Call&& call) {
  const double start_s = seconds_now();
  try {
    call();
    ADD_FAILURE() << "rank " << link.rank() << " did not notice that " << whom << " is missing";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_TRUE(error.kind() == ErrorKind::timeout || error.kind() == ErrorKind::comm) << text;
    EXPECT_NE(text.find(whom), std::string::npos) << text;
    if (error.kind() == ErrorKind::timeout) {
      EXPECT_GE(seconds_now() - start_s, 0.5 * kShort_s) << "gave up at once";
    }
  }
  EXPECT_TRUE(link.broken());
  EXPECT_FALSE(link.broken_because().empty());
  link.clear_deadline();
  Bytes one(1), all(static_cast<std::size_t>(link.size()));
  EXPECT_THROW(link.post(one, link.rank(), one, link.rank()), Error);
  EXPECT_THROW(link.allgather(one, all), Error);
  EXPECT_THROW(link.barrier(), Error);
}

/// Rank 0 never sends: who waits for it is told so. A message longer than any eager limit, and a short one.
template <std::size_t size>
void law_a_message_that_never_comes_is_a_timeout(Link& link) {
  link.set_deadline(kShort_s);
  if (link.rank() == 0) return;
  const Bytes out(size);
  Bytes in(size);
  expect_given_up(link, "rank 0", [&] { link.sendrecv(out, 0, in, 0); });
}

inline void law_a_rank_missing_at_a_barrier_is_a_timeout(Link& link) {
  link.set_deadline(kShort_s);
  if (link.rank() == link.size() - 1) return;
  expect_given_up(link, "rank", [&] { link.barrier(); });
}

template <std::size_t size>
void law_a_rank_missing_in_an_allgather_is_a_timeout(Link& link) {
  link.set_deadline(kShort_s);
  if (link.rank() == 0) return;
  const Bytes mine(size);
  Bytes all(size * static_cast<std::size_t>(link.size()));
  expect_given_up(link, "rank", [&] { link.allgather(mine, all); });
}

/// With two ranks the chain of an exscan has one hop, with more some ranks learn of it from those in between.
inline void law_a_rank_missing_in_an_exscan_is_a_timeout(Link& link) {
  link.set_deadline(kShort_s);
  if (link.rank() == 0) return;
  Bytes record(32);
  const Bytes identity(32);
  expect_given_up(link, "rank", [&] { link.exscan(record, identity, [](auto, auto) {}); });
}

/// Rank 0 never calls; of those that wait, an MPI that cannot be called back may write later, so the memory stays.
template <std::size_t each>
void law_a_rank_missing_in_a_collective(Link& link, void (*call)(Link&, std::span<const std::byte>, std::span<std::byte>)) {
  link.set_deadline(kShort_s);
  if (link.rank() == 0) return;
  const auto bytes = each * static_cast<std::size_t>(link.size());
  auto out = std::make_unique<Bytes>(bytes), in = std::make_unique<Bytes>(bytes);
  expect_given_up(link, "rank", [&] { call(link, *out, *in); });
  if (!link.memory_in_doubt()) return;
  static_cast<void>(out.release());
  static_cast<void>(in.release());
}
template <std::size_t each>
void law_a_rank_missing_in_an_allreduce_is_a_timeout(Link& link) {
  law_a_rank_missing_in_a_collective<each>(link, [](Link& l, auto out, auto in) { l.allreduce(DType::bf16, out, in); });
}
template <std::size_t each>
void law_a_rank_missing_in_a_reduce_scatter_is_a_timeout(Link& link) {
  law_a_rank_missing_in_a_collective<each>(link, [](Link& l, auto out, auto in) { l.reduce_scatter(DType::f32, out, in.first(each)); });
}
template <std::size_t each>
void law_a_rank_missing_in_an_alltoall_is_a_timeout(Link& link) {
  law_a_rank_missing_in_a_collective<each>(link, [](Link& l, auto out, auto in) { l.alltoall(out, in); });
}
inline void law_a_rank_missing_in_the_transports_allgather_is_a_timeout(Link& link) {
  law_a_rank_missing_in_a_collective<100'000>(link, [](Link& l, auto out, auto in) { l.transport_allgather(out.first(100'000), in); });
}

/// Deadlines that nobody meets, one after the other, and one that was taken back in time.
inline void law_a_deadline_that_is_kept_changes_nothing(Link& link) {
  for (const LinkLaw& law : kLinkLaws) {
    const DeadlineGuard guard(link, kAmple_s);
    EXPECT_TRUE(link.has_deadline());
    law.check(link);
  }
  EXPECT_FALSE(link.has_deadline());
  link.set_deadline(kShort_s);
  link.clear_deadline();
  const double late_s = seconds_now() + 1.5 * kShort_s;
  while (link.rank() == 0 && seconds_now() < late_s) link.progress();
  link.barrier();
  EXPECT_FALSE(link.broken());
  for (const LinkLaw& law : kLinkLaws) law.check(link);
}

struct DeadlineLaw {
  const char* name;
  void (*check)(Link&);
};
inline constexpr std::array<DeadlineLaw, 14> kDeadlineLaws{{
    {"a_short_message_that_never_comes_is_a_timeout", law_a_message_that_never_comes_is_a_timeout<8>},
    {"a_long_message_that_never_comes_is_a_timeout",
     law_a_message_that_never_comes_is_a_timeout<(std::size_t{1} << 20) + 3>},
    {"a_rank_missing_at_a_barrier_is_a_timeout", law_a_rank_missing_at_a_barrier_is_a_timeout},
    {"a_rank_missing_in_a_short_allgather_is_a_timeout", law_a_rank_missing_in_an_allgather_is_a_timeout<8>},
    {"a_rank_missing_in_a_long_allgather_is_a_timeout",
     law_a_rank_missing_in_an_allgather_is_a_timeout<100'000>},
    {"a_rank_missing_in_an_exscan_is_a_timeout", law_a_rank_missing_in_an_exscan_is_a_timeout},
    {"a_rank_missing_in_a_short_allreduce_is_a_timeout", law_a_rank_missing_in_an_allreduce_is_a_timeout<8>},
    {"a_rank_missing_in_a_long_allreduce_is_a_timeout", law_a_rank_missing_in_an_allreduce_is_a_timeout<100'000>},
    {"a_rank_missing_in_a_short_reduce_scatter_is_a_timeout", law_a_rank_missing_in_a_reduce_scatter_is_a_timeout<8>},
    {"a_rank_missing_in_a_long_reduce_scatter_is_a_timeout", law_a_rank_missing_in_a_reduce_scatter_is_a_timeout<400'000>},
    {"a_rank_missing_in_a_short_alltoall_is_a_timeout", law_a_rank_missing_in_an_alltoall_is_a_timeout<8>},
    {"a_rank_missing_in_a_long_alltoall_is_a_timeout", law_a_rank_missing_in_an_alltoall_is_a_timeout<100'000>},
    {"a_rank_missing_in_the_transports_allgather_is_a_timeout", law_a_rank_missing_in_the_transports_allgather_is_a_timeout},
    {"a_deadline_that_is_kept_changes_nothing", law_a_deadline_that_is_kept_changes_nothing},
}};

inline void PrintTo(const DeadlineLaw& law, std::ostream* out) {
  *out << law.name;
}

}  // namespace bench::test
