// SPDX-License-Identifier: Apache-2.0
// What a rank has of Ulysses' backward pass on a device: its shares, its heads over the whole sequence, and scratch.
//
// Row numbers, lse in base 2 and delta = rowsum(dout out), are computed where the rows are, so that out stays at home, and travel as they are: 8 bytes a row and
// head. dK and dV leave the kernel in fp32. Where no ranks share a key/value head they are rounded then and there and travel in 16 bits; where some do, fp32
// parts travel, are added up at home and rounded there: once either way.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/attention/bwd_job.hpp"
#include "kernels/attention/reshard_bwd.hpp"
#include "kernels/attention/ulysses_cut.hpp"

namespace bench::attention {

/// A piece of the rank's heads over the whole sequence. `job` has its tensors, dk and dv in fp32; dk and dv beside it are those rounded.
struct BwdPiece {
  HeadRun heads;
  BwdJob job{};
  std::byte *dk = nullptr, *dv = nullptr;  // where no ranks share keys
};

struct UlyssesBwdPlan : UlyssesCut {
  bool shared = false;              // ranks share keys
  int block_rows = 0, columns = 0;  // of the kernel's blocks
  std::vector<BwdPiece> pieces;
  BwdJob own_rows{};            // the share's: whoever has them sets its out and lse, of which its row numbers are made
  std::byte *q = nullptr, *k = nullptr, *v = nullptr, *dout = nullptr, *dq = nullptr, *dk = nullptr, *dv = nullptr;  // the shares
  float* key_sums = nullptr;    // where ranks share keys: the share's dk, then its dv

  UlyssesBwdPlan() = default;
  UlyssesBwdPlan(const AttentionProblem& problem, int own_rank, int rows_of_block, int columns_of_block)
      : UlyssesCut(problem, own_rank, longest_message), shared(ranks_share_keys(p)), block_rows(rows_of_block), columns(columns_of_block) {
    for (const HeadRun& run : uniform_pieces(p, own)) pieces.push_back({run, BwdJob{device_job(piece_problem(p, run))}});
    AttentionProblem share = p;
    share.seq = shares.length(rank);
    own_rows = BwdJob{device_job(share)};
  }

  /// Gives all that is not a share its place, in `memory`, which has take(bytes) and copy(std::vector<RowNumbers>). `alone`: the one rank's piece is its share.
  template <class Memory>
  void place(Memory& memory, bool alone) {
    own_rows.dout = dout;
    own_rows.rows = numbers(memory, own_rows);
    key_sums = floats(memory.take(shared ? 2 * share_sums() * kSumBytes : 0));
    for (BwdPiece& piece : pieces) {
      BwdJob& job = piece.job;
      const std::int64_t queries = p.batch * piece.heads.count * p.seq, keys = p.batch * piece.heads.kv_count * p.seq;  // rows
      const auto tensor = [&](std::byte* share, std::int64_t rows) { return alone ? share : memory.take(rows * row_bytes()); };
      job.q = tensor(q, queries), job.dout = tensor(dout, queries), job.dq = tensor(dq, queries);
      job.k = tensor(k, keys), job.v = tensor(v, keys);
      job.dk = memory.take(keys * p.head_dim * kSumBytes), job.dv = memory.take(keys * p.head_dim * kSumBytes);
      if (!shared) piece.dk = tensor(dk, keys), piece.dv = tensor(dv, keys);
      job.rows = alone ? own_rows.rows : numbers(memory, job);
      job.dq_sums = floats(memory.take(dq_sum_bytes(job)));
    }
  }

  /// What dk and dv travel in.
  int key_gradient_row_bytes() const { return shared ? static_cast<int>(p.head_dim * kSumBytes) : row_bytes(); }
  /// Elements of the share's dk.
  std::int64_t share_sums() const { return share_elements(p, p.kv_heads, own_rows.seq); }
  /// Row numbers of a head.
  std::int64_t numbers_of_head(const DeviceJob& job) const { return static_cast<std::int64_t>(job.row_blocks(block_rows)) * block_rows; }
  std::int64_t dq_sum_bytes(const DeviceJob& job) const { return job.batch * job.heads * numbers_of_head(job) * columns * kSumBytes; }

 private:
  static constexpr std::int64_t kSumBytes = sizeof(float);

  static std::int64_t longest_message(const AttentionProblem& p, const HeadRun& heads, std::int64_t rows) {
    return std::max(grad_input_bytes<Bf16>(p, heads, rows), gradient_bytes<Bf16>(p, heads, rows));
  }
  static float* floats(std::byte* memory) { return reinterpret_cast<float*>(memory); }
  /// Those that fill up the last block stay as they are made here: no message has them.
  template <class Memory>
  RowNumbers* numbers(Memory& memory, const DeviceJob& job) const {
    const auto count = static_cast<std::size_t>(job.batch * job.heads * numbers_of_head(job));
    return reinterpret_cast<RowNumbers*>(memory.copy(std::vector<RowNumbers>(count, {INFINITY, 0.0F})));
  }
};

}  // namespace bench::attention
