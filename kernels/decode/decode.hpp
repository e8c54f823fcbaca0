// SPDX-License-Identifier: Apache-2.0
// The decode op: attention of one new token per sequence over a paged cache of keys and values, as a server's
// generation step has it.
//
// Tensors, row-major: q (B, H, D), k_cache and v_cache (pages, page, Hkv, D) -> out (B, H, D) in the
// problem's dtype and lse (B, H), the natural logarithm of each row's softmax sum, in fp32 (fp64 for fp64
// tensors). Query head h reads key/value head h / (H / Hkv). The cache holds the new token already, so all
// keys of a sequence are visible.
//
// The cache's layout is that of FlashAttention's and FlashInfer's (their "NHD"): a token's keys of all heads
// are one contiguous row, so that a step appends two rows a sequence, and ranges of whole tokens are
// contiguous within a page, whatever the number of heads.
//
// Token t of sequence b lies in page table(b, t / page) at slot t % page. The table is part of the problem, a
// random permutation of all pages, as a server's looks after hours (a table in ascending order would be the
// best case). The pool is as large as if every sequence were full; pages behind a sequence's last token, and
// that page's tail, are nobody's: kernels must not let them into a result.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/problem.hpp"
#include "kernels/rounding.hpp"

namespace bench::decode {

/// How many tokens the sequences have.
enum class Lengths : std::uint8_t {
  equal,   // all have L
  ragged,  // the first has L, each other one a number drawn from 1..L
};

struct DecodeProblem : Problem {
  std::int64_t batch = 1;      // B
  std::int64_t heads = 8;      // H
  std::int64_t kv_heads = 8;   // Hkv, divides H
  std::int64_t seq = 1024;     // L, tokens in the cache
  std::int64_t head_dim = 64;  // D
  std::int64_t page = 16;      // tokens a page
  Lengths lengths = Lengths::equal;
  std::uint64_t table_seed = 1;  // no parameter: another table must not change a result, and a test says so

  std::int64_t group() const { return heads / kv_heads; }          // query heads per key/value head
  std::int64_t row() const { return kv_heads * head_dim; }         // elements of a token in k_cache
  std::int64_t pages_each() const { return ceil_div(seq, page); }  // entries of the table a sequence
  std::int64_t pages() const { return batch * pages_each(); }      // of the pool
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(head_dim)); }
};

std::string_view to_text(Lengths lengths);

/// Tokens of each sequence, 1..L; a function of the problem's parameters alone.
std::vector<std::int64_t> sequence_lengths(const DecodeProblem& problem);

/// (B, pages_each): which page of the pool holds each page of each sequence; a permutation of all pages.
std::vector<std::int32_t> block_table(const DecodeProblem& problem);

}  // namespace bench::decode
