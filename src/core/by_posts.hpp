// SPDX-License-Identifier: Apache-2.0
// Collectives made of a Link's posts alone, over host memory: what a back end without better has, and the rivals of those that have.
//
// Who sends what to whom follows from ranks and lengths alone, and so does the order of every sum: bits do not depend on timing, and an allreduce
// leaves the same ones on every rank. n bytes, P ranks; messages a rank, bytes that it sends:
//
//   allgather       up to 8 KiB a piece  ceil(log2 P)  (P-1) n           Bruck et al. 1997
//                   longer               P-1           (P-1) n           a piece each, distance by distance
//   allreduce       up to 8 KiB in all   ceil(log2 P)  (P-1) n           all gather everything and add it up in rank order
//                   longer               2 (P-1)       2 (P-1)/P n       ring: sums go round, then results (Patarasuk & Yuan 2009)
//   reduce_scatter  up to 8 KiB in all   P-1           (P-1)/P n         all at once, added up in rank order
//                   longer               P-1 or more   (P-1)/P n         pairwise, in parts that are added while the next one comes
//   alltoall        up to 8 KiB in all   P-1           (P-1)/P n         all at once
//                   longer               P-1           (P-1)/P n         pairwise, distance by distance
//
// n is a rank's input, of alltoall and reduce_scatter the whole of it. The spans of a call must not overlap. An Error leaves outputs undefined.
#pragma once

#include <cstddef>
#include <span>

#include "src/core/dtype.hpp"

namespace bench {
class Link;
}

namespace bench::by_posts {

void allgather(Link& link, std::span<const std::byte> mine, std::span<std::byte> all);
void allreduce(Link& link, DType dtype, std::span<const std::byte> mine, std::span<std::byte> sum);
void reduce_scatter(Link& link, DType dtype, std::span<const std::byte> mine, std::span<std::byte> share);
void alltoall(Link& link, std::span<const std::byte> out, std::span<std::byte> in);

/// What every link asks of the lengths; Error(internal) otherwise.
void require_allgather(const Link& link, std::size_t mine, std::size_t all);
void require_allreduce(DType dtype, std::size_t mine, std::size_t sum);
void require_reduce_scatter(const Link& link, DType dtype, std::size_t mine, std::size_t share);
void require_alltoall(const Link& link, std::size_t out, std::size_t in);

}  // namespace bench::by_posts
