// SPDX-License-Identifier: Apache-2.0
// Where the tokens of the sequences lie, looked up once in prepare: what every decode kernel reads beside its
// tensors.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/decode/decode.hpp"
#include "kernels/kernel.hpp"

namespace bench::decode {

struct CacheMap : Prepared {
  explicit CacheMap(const DecodeProblem& p)
      : page_bits(std::countr_zero(static_cast<std::uint64_t>(p.page))),
        pages_each(p.pages_each()),
        lengths(sequence_lengths(p)),
        table(block_table(p)) {}

  /// Slot of token t of sequence b, counted over all pages of the pool.
  std::int64_t slot(std::int64_t b, std::int64_t t) const {
    const std::int64_t page = table[static_cast<std::size_t>(b * pages_each + (t >> page_bits))];
    return (page << page_bits) + (t & ((std::int64_t{1} << page_bits) - 1));
  }

  int page_bits;  // log2 of the tokens a page
  std::int64_t pages_each;
  std::vector<std::int64_t> lengths;  // (B)
  std::vector<std::int32_t> table;    // (B, pages_each)
};

/// Kernel::prepare of kernels that need no more than the map.
inline std::unique_ptr<Prepared> prepare_map(const Problem& problem, Tensors&, Context&) {
  return std::make_unique<CacheMap>(problem_as<DecodeProblem>(problem));
}

}  // namespace bench::decode
