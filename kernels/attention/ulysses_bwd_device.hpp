// SPDX-License-Identifier: Apache-2.0
// Ulysses' backward pass on a device: the messages of play_ulysses as launches (ulysses_cut.hpp), and what stands before, between and behind them.
//
// Messages. Inputs, for a run of h query and g key/value heads and n rows of the sender: q and dout (B, h, n, D), k and v (B, g, n, D), then row numbers (B, h, n)
// of 8 bytes. Gradients, n rows of the receiver: dk and dv (B, g, n, D), in fp32 where ranks share keys, then dq (B, h, n, D). As long as the host's
// (reshard_bwd.hpp).
#pragma once

#include <span>

#include "kernels/attention/sum_parts.hpp"
#include "kernels/attention/ulysses_bwd_plan.hpp"
#include "kernels/attention/ulysses_play.hpp"

namespace bench::attention {

/// What play_ulysses asks. `Launch` puts on the stream: begin(BwdJob) the rows' numbers, move(RowMove), clear(bytes), backward(BwdJob) a piece, end(BwdJob) its dQ
/// rounded, add(SumJob), round(SumJob).
template <class Launch>
class UlyssesBwdOnDevice {
 public:
  UlyssesBwdOnDevice(const UlyssesBwdPlan& plan, const Launch& launch) : plan_(plan), launch_(launch), moves_(plan, launch) {}

  std::int64_t bytes(bool inputs, int from, int to) const {
    if (inputs) return grad_input_bytes<Bf16>(plan_.p, rank_heads(plan_.p, to), plan_.shares.length(from));
    return gradient_bytes<Bf16>(plan_.p, rank_heads(plan_.p, from), plan_.shares.length(to));
  }
  void pack(bool inputs, int to, std::byte* message) const { inputs ? pack_inputs(rank_heads(plan_.p, to), message) : pack_gradients(to, message); }
  void unpack(bool inputs, int from, std::byte* message) const { inputs ? unpack_inputs(from, message) : unpack_gradients(rank_heads(plan_.p, from), message); }

  void begin() const {
    if (plan_.own_rows.seq == 0) return;
    launch_.begin(plan_.own_rows);
    if (plan_.shared) launch_.clear(bytes_of(plan_.key_sums, 2 * plan_.share_sums() * static_cast<std::int64_t>(sizeof(float))));
  }
  void attend() const {
    for (const BwdPiece& piece : plan_.pieces) {
      launch_.clear(bytes_of(piece.job.dq_sums, plan_.dq_sum_bytes(piece.job)));
      launch_.backward(piece.job);
      launch_.end(piece.job);
      if (plan_.shared) continue;
      const std::int64_t count = share_elements(plan_.p, piece.heads.kv_count, plan_.p.seq);
      launch_.round({static_cast<const float*>(piece.job.dk), nullptr, piece.dk, count});
      launch_.round({static_cast<const float*>(piece.job.dv), nullptr, piece.dv, count});
    }
  }
  /// Behind the last message.
  void finish() const {
    if (!plan_.shared || plan_.own_rows.seq == 0) return;
    launch_.round({plan_.key_sums, nullptr, plan_.dk, plan_.share_sums()});
    launch_.round({plan_.key_sums + plan_.share_sums(), nullptr, plan_.dv, plan_.share_sums()});
  }

 private:
  static std::span<std::byte> bytes_of(float* sums, std::int64_t bytes) { return {reinterpret_cast<std::byte*>(sums), static_cast<std::size_t>(bytes)}; }
  HeadRows queries(const std::byte* share) const { return moves_.share(share, plan_.p.heads, plan_.row_bytes()); }
  HeadRows keys(const std::byte* share) const { return moves_.share(share, plan_.p.kv_heads, plan_.row_bytes()); }
  HeadRows numbers(const BwdJob& job) const { return {job.rows, job.heads, plan_.numbers_of_head(job), static_cast<int>(sizeof(RowNumbers))}; }

  void pack_inputs(const HeadRun& heads, std::byte* message) const {
    for (const std::byte* tensor : {plan_.q, plan_.dout}) message = moves_.extract(queries(tensor), heads.first, heads.count, message);
    for (const std::byte* tensor : {plan_.k, plan_.v}) message = moves_.extract(keys(tensor), heads.kv_first, heads.kv_count, message);
    moves_.extract(numbers(plan_.own_rows), heads.first, heads.count, message);
  }
  void unpack_inputs(int from, const std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(from), batch = plan_.p.batch;
    const int bytes = plan_.row_bytes();
    const HeadRows q{message, plan_.own.count, rows, bytes}, dout{q.end(batch), plan_.own.count, rows, bytes}, k{dout.end(batch), plan_.own.kv_count, rows, bytes},
        v{k.end(batch), plan_.own.kv_count, rows, bytes}, row_numbers{v.end(batch), plan_.own.count, rows, static_cast<int>(sizeof(RowNumbers))};
    for (const BwdPiece& piece : plan_.pieces) {
      const std::int64_t first = piece.heads.first - plan_.own.first, kv_first = piece.heads.kv_first - plan_.own.kv_first;
      moves_.scatter(q, first, moves_.whole(piece.job.q, piece.heads.count, bytes), from);
      moves_.scatter(dout, first, moves_.whole(piece.job.dout, piece.heads.count, bytes), from);
      moves_.scatter(k, kv_first, moves_.whole(piece.job.k, piece.heads.kv_count, bytes), from);
      moves_.scatter(v, kv_first, moves_.whole(piece.job.v, piece.heads.kv_count, bytes), from);
      moves_.scatter(row_numbers, first, numbers(piece.job), from);
    }
  }
  void pack_gradients(int to, const std::byte* message) const {
    const std::int64_t rows = plan_.shares.length(to), batch = plan_.p.batch;
    const int bytes = plan_.key_gradient_row_bytes();
    const HeadRows dk{message, plan_.own.kv_count, rows, bytes}, dv{dk.end(batch), plan_.own.kv_count, rows, bytes},
        dq{dv.end(batch), plan_.own.count, rows, plan_.row_bytes()};
    for (const BwdPiece& piece : plan_.pieces) {
      const std::int64_t first = piece.heads.first - plan_.own.first, kv_first = piece.heads.kv_first - plan_.own.kv_first;
      moves_.gather(moves_.whole(plan_.shared ? piece.job.dk : piece.dk, piece.heads.kv_count, bytes), to, dk, kv_first);
      moves_.gather(moves_.whole(plan_.shared ? piece.job.dv : piece.dv, piece.heads.kv_count, bytes), to, dv, kv_first);
      moves_.gather(moves_.whole(piece.job.dq, piece.heads.count, plan_.row_bytes()), to, dq, first);
    }
  }
  void unpack_gradients(const HeadRun& heads, std::byte* message) const {
    if (plan_.shared) {
      message = add(message, heads, plan_.key_sums);
      message = add(message, heads, plan_.key_sums + plan_.share_sums());
    } else {
      message = moves_.insert(message, keys(plan_.dk), heads.kv_first, heads.kv_count);
      message = moves_.insert(message, keys(plan_.dv), heads.kv_first, heads.kv_count);
    }
    moves_.insert(message, queries(plan_.dq), heads.first, heads.count);
  }
  /// A rank's part of its key/value heads' gradient, added in the list's order. Heads of a sequence lie one after the other in message and sums.
  std::byte* add(std::byte* message, const HeadRun& heads, float* sums) const {
    const std::int64_t head = plan_.own_rows.seq * plan_.p.head_dim, count = heads.kv_count * head;
    const auto* part = reinterpret_cast<const float*>(message);
    for (std::int64_t b = 0; b < plan_.p.batch && count > 0; ++b) launch_.add({part + b * count, sums + (b * plan_.p.kv_heads + heads.kv_first) * head, nullptr, count});
    return message + plan_.p.batch * count * static_cast<std::int64_t>(sizeof(float));
  }

  const UlyssesBwdPlan& plan_;
  const Launch& launch_;
  HeadMoves<Launch> moves_;
};

/// Queues one call. Without a link the one rank's piece is its share.
template <class Launch>
void play(const UlyssesBwdPlan& plan, DeviceLink* link, void* stream, const Launch& launch) {
  const UlyssesBwdOnDevice<Launch> work(plan, launch);
  work.begin();
  if (link == nullptr) return work.attend();
  play_ulysses(plan.schedule, [&](int i) { return plan.slot(i); }, *link, work, stream);
  work.finish();
}

}  // namespace bench::attention
