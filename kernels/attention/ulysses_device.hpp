// SPDX-License-Identifier: Apache-2.0
// Ulysses on a device: the messages of play_ulysses as launches. What launches is handed in, so that a test plays it with neither device nor CUDA; pointers
// are the device's, and whoever has its memory sets them.
//
// Messages. Inputs, for a run of h query and g key/value heads and n rows of the sender: q (B, h, n, D), k (B, g, n, D), v (B, g, n, D). Results, n rows of
// the receiver: out (B, h, n, D), then lse (B, h, n) in fp32: elements of 16 bits first, in rows of whole 16 bytes.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/attention/device_job.hpp"
#include "kernels/attention/reshard.hpp"
#include "kernels/attention/row_move.hpp"
#include "kernels/attention/shares.hpp"
#include "kernels/attention/ulysses_play.hpp"

namespace bench::attention {

/// A piece of the rank's heads over the whole sequence; `job` has its tensors.
struct DevicePiece {
  HeadRun heads;
  DeviceJob job{};
};

struct UlyssesPlan {
  AttentionProblem p;
  std::vector<UlyssesOp> schedule;
  Shares shares;
  int rank = 0;
  HeadRun own;  // the rank's heads
  std::vector<DevicePiece> pieces;
  std::byte *q = nullptr, *k = nullptr, *v = nullptr, *out = nullptr, *lse = nullptr;  // the shares
  std::byte* slots = nullptr;                                                          // kUlyssesSlots of slot_bytes
  std::int64_t slot_bytes = 0;
  std::vector<std::int32_t> positions;          // of all ranks, one after the other
  std::vector<std::int64_t> positions_at;       // where a rank's begin
  const std::int32_t* positions_data = nullptr; // them, on the device

  UlyssesPlan() = default;
  UlyssesPlan(const AttentionProblem& problem, int own_rank) : p(problem), schedule(ulysses_schedule(static_cast<int>(p.ranks), own_rank)), shares(p), rank(own_rank), own(rank_heads(p, rank)) {
    for (const HeadRun& run : uniform_pieces(p, own)) pieces.push_back({run, device_job(piece_problem(p, run))});
    for (int r = 0; r < static_cast<int>(p.ranks); ++r) {
      positions_at.push_back(static_cast<std::int64_t>(positions.size()));
      positions.insert(positions.end(), shares.of(r).begin(), shares.of(r).end());
      const HeadRun heads = rank_heads(p, r);
      slot_bytes = std::max({slot_bytes, input_bytes<Bf16>(p, heads, longest_share(p)), result_bytes<Bf16>(p, heads, longest_share(p))});
    }
    slot_bytes = (slot_bytes + 255) / 256 * 256;
  }

  int row_bytes() const { return static_cast<int>(p.head_dim) * 2; }
  const std::int32_t* positions_of(int r) const { return positions_data + positions_at[static_cast<std::size_t>(r)]; }
  /// Bytes of a piece's q (out), k (v) and lse.
  std::int64_t query_bytes(const DevicePiece& piece) const { return p.batch * piece.heads.count * p.seq * row_bytes(); }
  std::int64_t key_bytes(const DevicePiece& piece) const { return p.batch * piece.heads.kv_count * p.seq * row_bytes(); }
  std::int64_t lse_bytes(const DevicePiece& piece) const { return p.batch * piece.heads.count * p.seq * static_cast<std::int64_t>(sizeof(float)); }
};

/// What play_ulysses asks. `Launch` has move(const RowMove&) and attend(const DeviceJob&).
template <class Launch>
class UlyssesOnDevice {
 public:
  UlyssesOnDevice(const UlyssesPlan& plan, const Launch& launch) : plan_(plan), launch_(launch) {}

  std::int64_t bytes(bool inputs, int from, int to) const {
    if (inputs) return input_bytes<Bf16>(plan_.p, rank_heads(plan_.p, to), plan_.shares.length(from));
    return result_bytes<Bf16>(plan_.p, rank_heads(plan_.p, from), plan_.shares.length(to));
  }
  void pack(bool inputs, int to, std::byte* message) const { inputs ? pack_inputs(rank_heads(plan_.p, to), message) : pack_results(to, message); }
  void unpack(bool inputs, int from, std::byte* message) const { inputs ? unpack_inputs(from, message) : unpack_results(rank_heads(plan_.p, from), message); }
  void attend() const {
    for (const DevicePiece& piece : plan_.pieces) launch_.attend(piece.job);
  }

 private:
  /// Heads `first` on of a tensor with `heads` heads of `rows` rows.
  static RowPlace place(std::byte* data, std::int64_t heads, std::int64_t first, std::int64_t rows, std::int64_t row_bytes, const std::int32_t* which = nullptr) {
    return {data + first * rows * row_bytes, heads * rows * row_bytes, rows * row_bytes, which};
  }
  void move(const RowPlace& from, const RowPlace& to, std::int64_t heads, std::int64_t rows, int row_bytes) const {
    if (rows > 0) launch_.move({from, to, static_cast<int>(plan_.p.batch), static_cast<int>(heads), static_cast<int>(rows), row_bytes});
  }

  void pack_inputs(const HeadRun& heads, std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(plan_.rank);
    const auto part = [&](std::byte* tensor, std::int64_t all, std::int64_t first, std::int64_t count) {
      move(place(tensor, all, first, rows, plan_.row_bytes()), place(message, count, 0, rows, plan_.row_bytes()), count, rows, plan_.row_bytes());
      message += plan_.p.batch * count * rows * plan_.row_bytes();
    };
    part(plan_.q, plan_.p.heads, heads.first, heads.count);
    part(plan_.k, plan_.p.kv_heads, heads.kv_first, heads.kv_count);
    part(plan_.v, plan_.p.kv_heads, heads.kv_first, heads.kv_count);
  }
  void unpack_inputs(int source, std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(source), head = plan_.p.batch * rows * plan_.row_bytes();
    std::byte *const k = message + plan_.own.count * head, *const v = k + plan_.own.kv_count * head;
    const auto part = [&](std::byte* from, std::int64_t all, std::int64_t first, const void* to, std::int64_t count) {
      move(place(from, all, first, rows, plan_.row_bytes()), place(static_cast<std::byte*>(const_cast<void*>(to)), count, 0, plan_.p.seq, plan_.row_bytes(), plan_.positions_of(source)),
           count, rows, plan_.row_bytes());
    };
    for (const DevicePiece& piece : plan_.pieces) {
      const HeadRun& heads = piece.heads;
      part(message, plan_.own.count, heads.first - plan_.own.first, piece.job.q, heads.count);
      part(k, plan_.own.kv_count, heads.kv_first - plan_.own.kv_first, piece.job.k, heads.kv_count);
      part(v, plan_.own.kv_count, heads.kv_first - plan_.own.kv_first, piece.job.v, heads.kv_count);
    }
  }
  void pack_results(int to, std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(to);
    std::byte* const sums = message + plan_.p.batch * plan_.own.count * rows * plan_.row_bytes();
    for (const DevicePiece& piece : plan_.pieces) {
      const std::int64_t count = piece.heads.count, first = piece.heads.first - plan_.own.first;
      const auto part = [&](void* from, std::byte* part_of, int row_bytes) {
        move(place(static_cast<std::byte*>(from), count, 0, plan_.p.seq, row_bytes, plan_.positions_of(to)), place(part_of, plan_.own.count, first, rows, row_bytes), count, rows, row_bytes);
      };
      part(piece.job.out, message, plan_.row_bytes());
      part(piece.job.lse, sums, sizeof(float));
    }
  }
  void unpack_results(const HeadRun& heads, std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(plan_.rank);
    const auto part = [&](std::byte* from, std::byte* to, int row_bytes) {
      move(place(from, heads.count, 0, rows, row_bytes), place(to, plan_.p.heads, heads.first, rows, row_bytes), heads.count, rows, row_bytes);
    };
    part(message, plan_.out, plan_.row_bytes());
    part(message + plan_.p.batch * heads.count * rows * plan_.row_bytes(), plan_.lse, sizeof(float));
  }

  const UlyssesPlan& plan_;
  const Launch& launch_;
};

/// Queues one call; more than one rank.
template <class Launch>
void play(const UlyssesPlan& plan, DeviceLink& link, void* stream, const Launch& launch) {
  play_ulysses(plan.schedule, [&](int i) { return plan.slots + i * plan.slot_bytes; }, link, UlyssesOnDevice<Launch>(plan, launch), stream);
}

}  // namespace bench::attention
