// SPDX-License-Identifier: Apache-2.0
// What every Link promises about its sums and exchanges, as functions that each rank of a group calls together; the table that runs
// them is in link_laws.hpp. Whatever the lengths: none, fewer elements than ranks, not divisible by them, short and long.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "src/core/link.hpp"
#include "src/core/tensor.hpp"

namespace bench::test {

constexpr std::array kElementTypes{DType::f64, DType::f32, DType::bf16, DType::f16};

/// Element i of what `rank` has for rank `to` (or for all): whole numbers of at most 9, so that sums of 28 ranks are exact in every type,
/// and neighbours in rank, receiver and place differ.
inline double law_element(int rank, int to, std::int64_t i) {
  return static_cast<double>((i * 5 + rank * 7 + to * 3) % 19 - 9);
}
inline double law_sum(int ranks, int to, std::int64_t i) {
  double sum = 0.0;
  for (int r = 0; r < ranks; ++r) sum += law_element(r, to, i);
  return sum;
}

inline std::span<std::byte> law_bytes(Tensor& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.bytes())};
}

/// (pieces, each) numbers by `element(piece, i)`.
template <class Element>
Tensor law_tensor(DType dtype, int pieces, std::int64_t each, Element&& element) {
  Tensor tensor(dtype, {pieces, each});
  for (int p = 0; p < pieces; ++p)
    for (std::int64_t i = 0; i < each; ++i) tensor.set(p * each + i, element(p, i));
  return tensor;
}
inline Tensor law_room(DType dtype, int pieces, std::int64_t each) {
  return law_tensor(dtype, pieces, each, [](int, std::int64_t) { return -77.0; });
}
inline bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && (a.bytes() == 0 || std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.bytes())) == 0);
}

/// None; one; fewer than most groups have ranks; not divisible; above 8 KiB in every type.
constexpr std::array<std::int64_t, 5> kElementCounts{0, 1, 3, 333, 4099};
/// Of the types, fp32 alone: three parts of 128 KiB, the last one short; past the eager limit of any transport.
constexpr std::int64_t kManyElements = 70'001;

template <class Check>
void for_each_type_and_count(Check&& check) {
  for (const DType dtype : kElementTypes)
    for (const std::int64_t count : kElementCounts) check(dtype, count);
  check(DType::f32, kManyElements);
}

inline void law_allreduce_gives_every_rank_the_sum(Link& link) {
  for_each_type_and_count([&](DType dtype, std::int64_t count) {
    Tensor mine = law_tensor(dtype, 1, count, [&](int, std::int64_t i) { return law_element(link.rank(), 0, i); });
    Tensor sum = law_room(dtype, 1, count);
    link.allreduce(dtype, law_bytes(mine), law_bytes(sum));
    const Tensor expected = law_tensor(dtype, 1, count, [&](int, std::int64_t i) { return law_sum(link.size(), 0, i); });
    EXPECT_TRUE(same_bytes(sum, expected)) << to_text(dtype) << ", " << count << " elements";
  });
}

inline void law_reduce_scatter_gives_each_rank_its_share(Link& link) {
  for_each_type_and_count([&](DType dtype, std::int64_t each) {
    Tensor mine = law_tensor(dtype, link.size(), each, [&](int to, std::int64_t i) { return law_element(link.rank(), to, i); });
    Tensor share = law_room(dtype, 1, each);
    link.reduce_scatter(dtype, law_bytes(mine), law_bytes(share));
    const Tensor expected = law_tensor(dtype, 1, each, [&](int, std::int64_t i) { return law_sum(link.size(), link.rank(), i); });
    EXPECT_TRUE(same_bytes(share, expected)) << to_text(dtype) << ", shares of " << each;
  });
}

inline void law_alltoall_brings_every_ranks_piece(Link& link) {
  for (const std::int64_t each : {kElementCounts[0], kElementCounts[1], kElementCounts[3], kManyElements}) {
    Tensor out = law_tensor(DType::f32, link.size(), each, [&](int to, std::int64_t i) { return law_element(link.rank(), to, i); });
    Tensor in = law_room(DType::f32, link.size(), each);
    link.alltoall(law_bytes(out), law_bytes(in));
    const Tensor expected =
        law_tensor(DType::f32, link.size(), each, [&](int from, std::int64_t i) { return law_element(from, link.rank(), i); });
    EXPECT_TRUE(same_bytes(in, expected)) << "pieces of " << each;
  }
}

inline void law_the_transports_allgather_is_in_rank_order_too(Link& link) {
  for (const std::int64_t each : {kElementCounts[0], kElementCounts[1], kElementCounts[3], kManyElements}) {
    Tensor mine = law_tensor(DType::f32, 1, each, [&](int, std::int64_t i) { return law_element(link.rank(), 0, i); });
    Tensor all = law_room(DType::f32, link.size(), each);
    link.transport_allgather(law_bytes(mine), law_bytes(all));
    const Tensor expected = law_tensor(DType::f32, link.size(), each, [&](int from, std::int64_t i) { return law_element(from, 0, i); });
    EXPECT_TRUE(same_bytes(all, expected)) << "pieces of " << each;
  }
}

/// 8400 numbers are divisible by 1 to 8 ranks and too many for the forms that send more to save rounds.
inline void law_collectives_count_what_has_to_be_sent(Link& link) {
  const std::int64_t count = 8400, p = link.size();
  Tensor mine = law_room(DType::f32, 1, count), whole = law_room(DType::f32, 1, count), share = law_room(DType::f32, 1, count / p);
  const std::int64_t least = mine.bytes() / p * (p - 1);
  const auto sent = [&](auto&& call) {
    const std::int64_t before = link.bytes_sent();
    call();
    return link.bytes_sent() - before;
  };
  EXPECT_EQ(sent([&] { link.allreduce(DType::f32, law_bytes(mine), law_bytes(whole)); }), 2 * least);
  EXPECT_EQ(sent([&] { link.reduce_scatter(DType::f32, law_bytes(mine), law_bytes(share)); }), least);
  EXPECT_EQ(sent([&] { link.alltoall(law_bytes(mine), law_bytes(whole)); }), least);
  EXPECT_EQ(sent([&] { link.transport_allgather(law_bytes(share), law_bytes(whole)); }), least);
}

/// Of more ranks, a sum of arrays and shares that do not fit is refused before anything is sent.
inline void law_collectives_refuse_lengths_that_do_not_fit(Link& link) {
  const auto p = static_cast<std::size_t>(link.size());
  std::vector<std::byte> eight(8), seven(7), many(8 * p), more(8 * p + 1);
  EXPECT_THROW(link.allreduce(DType::f32, eight, seven), Error);
  EXPECT_THROW(link.allreduce(DType::f32, seven, seven), Error) << "no whole elements";
  EXPECT_THROW(link.reduce_scatter(DType::f32, more, eight), Error);
  EXPECT_THROW(link.alltoall(many, more), Error);
  EXPECT_THROW(link.transport_allgather(eight, more), Error);
  EXPECT_FALSE(link.broken());
}

}  // namespace bench::test
