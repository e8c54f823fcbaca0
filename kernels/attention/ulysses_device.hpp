// SPDX-License-Identifier: Apache-2.0
// Ulysses on a device: the messages of play_ulysses as launches (ulysses_cut.hpp).
//
// Messages. Inputs, for a run of h query and g key/value heads and n rows of the sender: q (B, h, n, D), k (B, g, n, D), v (B, g, n, D). Results, n rows of
// the receiver: out (B, h, n, D), then lse (B, h, n) in fp32: elements of 16 bits first, in rows of whole 16 bytes.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/attention/device_job.hpp"
#include "kernels/attention/reshard.hpp"
#include "kernels/attention/ulysses_cut.hpp"
#include "kernels/attention/ulysses_play.hpp"

namespace bench::attention {

/// A piece of the rank's heads over the whole sequence; `job` has its tensors.
struct DevicePiece {
  HeadRun heads;
  DeviceJob job{};
};

struct UlyssesPlan : UlyssesCut {
  std::vector<DevicePiece> pieces;
  std::byte *q = nullptr, *k = nullptr, *v = nullptr, *out = nullptr, *lse = nullptr;  // the shares

  UlyssesPlan() = default;
  UlyssesPlan(const AttentionProblem& problem, int own_rank) : UlyssesCut(problem, own_rank, longest_message) {
    for (const HeadRun& run : uniform_pieces(p, own)) pieces.push_back({run, device_job(piece_problem(p, run))});
  }

  /// Bytes of a piece's q (out), k (v) and lse.
  std::int64_t query_bytes(const DevicePiece& piece) const { return p.batch * piece.heads.count * p.seq * row_bytes(); }
  std::int64_t key_bytes(const DevicePiece& piece) const { return p.batch * piece.heads.kv_count * p.seq * row_bytes(); }
  std::int64_t lse_bytes(const DevicePiece& piece) const { return p.batch * piece.heads.count * p.seq * static_cast<std::int64_t>(sizeof(float)); }

 private:
  static std::int64_t longest_message(const AttentionProblem& p, const HeadRun& heads, std::int64_t rows) {
    return std::max(input_bytes<Bf16>(p, heads, rows), result_bytes<Bf16>(p, heads, rows));
  }
};

/// What play_ulysses asks. `Launch` has move(const RowMove&) and attend(const DeviceJob&).
template <class Launch>
class UlyssesOnDevice {
 public:
  UlyssesOnDevice(const UlyssesPlan& plan, const Launch& launch) : plan_(plan), launch_(launch), moves_(plan, launch) {}

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
  static constexpr int kLseBytes = sizeof(float);

  HeadRows queries(const std::byte* share) const { return moves_.share(share, plan_.p.heads, plan_.row_bytes()); }
  HeadRows keys(const std::byte* share) const { return moves_.share(share, plan_.p.kv_heads, plan_.row_bytes()); }

  void pack_inputs(const HeadRun& heads, std::byte* message) const {
    message = moves_.extract(queries(plan_.q), heads.first, heads.count, message);
    message = moves_.extract(keys(plan_.k), heads.kv_first, heads.kv_count, message);
    moves_.extract(keys(plan_.v), heads.kv_first, heads.kv_count, message);
  }
  void unpack_inputs(int from, const std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(from), batch = plan_.p.batch;
    const int bytes = plan_.row_bytes();
    const HeadRows q{message, plan_.own.count, rows, bytes}, k{q.end(batch), plan_.own.kv_count, rows, bytes}, v{k.end(batch), plan_.own.kv_count, rows, bytes};
    for (const DevicePiece& piece : plan_.pieces) {
      const std::int64_t first = piece.heads.first - plan_.own.first, kv_first = piece.heads.kv_first - plan_.own.kv_first;
      moves_.scatter(q, first, moves_.whole(piece.job.q, piece.heads.count, bytes), from);
      moves_.scatter(k, kv_first, moves_.whole(piece.job.k, piece.heads.kv_count, bytes), from);
      moves_.scatter(v, kv_first, moves_.whole(piece.job.v, piece.heads.kv_count, bytes), from);
    }
  }
  void pack_results(int to, const std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(to);
    const HeadRows out{message, plan_.own.count, rows, plan_.row_bytes()}, lse{out.end(plan_.p.batch), plan_.own.count, rows, kLseBytes};
    for (const DevicePiece& piece : plan_.pieces) {
      const std::int64_t first = piece.heads.first - plan_.own.first;
      moves_.gather(moves_.whole(piece.job.out, piece.heads.count, plan_.row_bytes()), to, out, first);
      moves_.gather(moves_.whole(piece.job.lse, piece.heads.count, kLseBytes), to, lse, first);
    }
  }
  void unpack_results(const HeadRun& heads, std::byte* message) const {
    message = moves_.insert(message, queries(plan_.out), heads.first, heads.count);
    moves_.insert(message, moves_.share(plan_.lse, plan_.p.heads, kLseBytes), heads.first, heads.count);
  }

  const UlyssesPlan& plan_;
  const Launch& launch_;
  HeadMoves<Launch> moves_;
};

/// Queues one call; more than one rank.
template <class Launch>
void play(const UlyssesPlan& plan, DeviceLink& link, void* stream, const Launch& launch) {
  play_ulysses(plan.schedule, [&](int i) { return plan.slot(i); }, link, UlyssesOnDevice<Launch>(plan, launch), stream);
}

}  // namespace bench::attention
