// SPDX-License-Identifier: Apache-2.0
// The device's decode kernel for ordinary lanes, run on the host thread by thread and held against the fp64 oracle.
#include "kernels/decode/paged_body.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/decode/host_launch.hpp"

namespace bench::decode {
namespace {

using test::shape;
using test::with;

template <class T, int kDim, int kGroup>
void expect_the_oracles_answer(const Params& changes, std::int64_t span) {
  test::expect_the_oracles_answer<T, PagedSplit<support::HostMachine, T, kDim, kGroup>>(changes, span);
}

TEST(PagedBody, EqualsTheOracleAtEveryEdgeOfASpan) {
  for (const std::int64_t seq : {1, 15, 16, 17, 63, 64, 65, 129})  // pages of 16, rounds of 64 tokens
    for (const std::int64_t span : {64, 1024}) {
      SCOPED_TRACE(concat("L ", seq, " span ", span));
      expect_the_oracles_answer<Bf16, 64, 1>(shape(seq, 2, 2), span);
    }
}

TEST(PagedBody, TakesGroupsOfEverySize) {
  expect_the_oracles_answer<Bf16, 64, 4>(shape(100, 3, 1), 64);
  expect_the_oracles_answer<Bf16, 64, 8>(shape(100, 8, 1), 64);
  expect_the_oracles_answer<Bf16, 64, 8>(shape(100, 22, 2), 128);  // 11 heads: a chunk of 8 and one of 3
}

TEST(PagedBody, TakesEveryHeadDimensionAndPage) {
  for (const std::int64_t head_dim : {8, 72, 128}) expect_the_oracles_answer<Bf16, 128, 4>(with(with(shape(90, 4, 2), "head_dim", head_dim), "page", std::int64_t{32}), 64);
  expect_the_oracles_answer<F16, 256, 4>(with(with(shape(90, 4, 2), "head_dim", std::int64_t{256}), "dtype", std::string("fp16")), 64);
}

TEST(PagedBody, ComputesSinglePrecisionToo) {
  const Params single = with(shape(100, 4, 2), "dtype", std::string("fp32"));
  for (const std::int64_t head_dim : {8, 40, 64}) expect_the_oracles_answer<float, 64, 4>(with(single, "head_dim", head_dim), 64);
  expect_the_oracles_answer<float, 128, 1>(with(single, "head_dim", std::int64_t{72}), 64);
  expect_the_oracles_answer<float, 256, 8>(with(with(single, "head_dim", std::int64_t{200}), "heads", std::int64_t{10}), 64);
}

TEST(PagedBody, ReadsNothingBehindASequencesEnd) {
  const Params ragged = with(with(shape(200, 4, 2), "batch", std::int64_t{4}), "lengths", std::string("ragged"));
  expect_the_oracles_answer<Bf16, 64, 4>(ragged, 64);  // spans that begin behind the end, too
}

}  // namespace
}  // namespace bench::decode
