// SPDX-License-Identifier: Apache-2.0
// What the launches of a backward attention kernel on a device are told, and the scratch that they hand each other.
#pragma once

#include <cstdint>

#include "kernels/attention/device_job.hpp"
#include "kernels/attention/row_blocks.hpp"

namespace bench::attention {

/// What the main kernel needs of a row: weights are 2^(c s - lse_log2), and dS = P (dP - delta). Rows that see no key, and those that fill up the
/// last block, have lse_log2 = infinity: all their weights are 0.
struct RowNumbers {
  float lse_log2, delta;
};

/// DeviceJob's q, k, v, out and lse are given, and dout (B, H, L, D) -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D).
struct BwdJob : DeviceJob {
  const void* dout;
  void *dq, *dk, *dv;
  RowNumbers* rows;  // (B H, row blocks, rows of a block)
  float* dq_sums;    // (B H, row blocks, rows x columns of a block): in an order of the kernel's own. Null for BwdRows: none to clear
  int* turns;        // (B H, row blocks, parts): how many key blocks have added to a part of a block of dQ. Null: they add in any order
  int* tickets;      // one; null like turns
  int turn_parts;    // of a block of dQ, each added by threads of its own

  BS_HOST_DEVICE int key_blocks(int keys) const { return (kv_seq + keys - 1) / keys; }
};

/// Elements of the scratch arrays for blocks of so many rows of `columns` columns, in so many parts.
struct BwdScratch {
  std::int64_t rows, sums, turns;

  BwdScratch(const AttentionProblem& p, int block_rows, int columns, int turn_parts) {
    const std::int64_t blocks = p.batch * p.heads * ((p.seq + block_rows - 1) / block_rows);
    rows = blocks * block_rows;
    sums = rows * columns;
    turns = blocks * turn_parts;
  }
};

/// One block's piece: kKeys keys of one key/value head, against all rows of its query heads. Causal, the first keys are seen by the most rows:
/// blocks with the most work come first.
struct BlockOfKeys {
  int kv_head, first_head, key_block;  // heads over batch and heads
  RowMask mask;

  BS_DEVICE BlockOfKeys(const DeviceJob& job, int block) {
    const int all = job.batch * job.heads / job.group;
    kv_head = block % all;
    first_head = kv_head * job.group;
    key_block = block / all;
    mask = job.mask_of(first_head / job.heads);
  }
};

}  // namespace bench::attention
