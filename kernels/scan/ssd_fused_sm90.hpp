// SPDX-License-Identifier: Apache-2.0
// One block's work of Mamba-2's scan on Hopper (sm_90a) in one launch: kParts parts of heads that share B and C, a warpgroup each, and one that feeds them.
// The body only: ssd_fused128_sm90_cuda.cu launches it, and a test runs it on the host.
//
// A part is 64 elements of one head, all steps, in chunks of kSm90Steps. Its state stays in fp32 accumulators from the first chunk to the last; every chunk finds it
// in shared memory, rounded to T, as an operand too. Per chunk: the output of its steps, half of them at a time (ssd_rows_sm90.hpp), then what its steps add to the
// state (ssd_state_sm90.hpp). Parts meet nowhere: while one computes exponentials another multiplies.
//
// The feeding warpgroup: one thread has the copy engine bring B and x a chunk ahead and C at least half a chunk, and a warp
// for each part makes the next chunk's decays (ssd_steps.hpp). All of that lies in rings (tile_ring.hpp).
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_rows_sm90.hpp"
#include "kernels/scan/ssd_state_sm90.hpp"

namespace bench::scan {

template <class M, class T, int kParts, int kStates>
class SsdFusedSm90 {
  using Places = SsdSm90Places<M, kParts, kStates>;
  using Block = SsdSm90Block<kParts>;

 public:
  static constexpr int kThreads = 128 * (kParts + 1), kSharedBytes = Places::kBytes;
  static_assert(kParts == 2, "registers are shared out for three warpgroups, of 168 each");

  static BS_HOST_DEVICE int blocks(const SsdJob& job) { return Block::blocks(job); }

  BS_DEVICE explicit SsdFusedSm90(const SsdSm90Job<M>& job) : job_(job), places_{M::shared()}, block_(job, M::block()) {}

  BS_DEVICE void run() const {
    if (M::thread() == 0) places_.start_barriers(block_.count);
    M::sync();
    if (M::thread() < 128) {
      M::template give_registers<72>();
      feed();
    } else {
      M::template take_registers<216>();
      const int part = M::of_warp(M::thread() / 128 - 1);
      if (part < block_.count) consume(part);
    }
  }

 private:
  static constexpr int kPages = kStates / cuda::kPageColumns, kFirstMeeting = 1;  // a barrier with a number for each part

  BS_DEVICE void feed() const {
    const int warp = M::of_warp(M::thread() / 32);
    if (warp > 0 && warp <= block_.count) make_decays(warp - 1);
    if (M::thread() == 0) produce();
  }

  /// C comes last: with two places for its halves it waits for rows of the chunk before, and B and x need not.
  BS_DEVICE void produce() const {
    const SsdPlace at = block_.part(job_, 0);
    const int chunks = job_.chunks(kSm90Steps);
    BS_NO_UNROLL
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const int t0 = chunk * kSm90Steps;
      copy_pages(places_.b(), chunk, job_.b_map, at, t0);
      const std::uint32_t full = places_.x().claim(chunk, block_.count * Places::kPartBytes);
      for (int part = 0; part < block_.count; ++part) {
        const SsdPlace of = block_.part(job_, part);
        M::copy_box(places_.x().tile(chunk) + part * Places::kPartBytes, job_.x_map, full, of.element0, of.head, t0, of.entry);
      }
      for (int half = 0; half < 2; ++half) copy_pages(places_.c(), 2 * chunk + half, job_.c_map, at, t0 + half * kSm90Half);
    }
  }
  template <class Ring>
  BS_DEVICE static void copy_pages(const Ring& ring, int i, const typename M::TensorMap& map, const SsdPlace& at, int step) {
    const std::uint32_t full = ring.claim(i);
    for (int page = 0; page < kPages; ++page)
      M::copy_box(ring.tile(i) + page * (Ring::kBytes / kPages), map, full, page * cuda::kPageColumns, at.group, step, at.entry);
  }

  BS_DEVICE void make_decays(int part) const {
    const SsdPlace at = block_.part(job_, part);
    const auto ring = places_.decays(part);
    const int chunks = job_.chunks(kSm90Steps);
    BS_NO_UNROLL
    for (int chunk = 0; chunk < chunks; ++chunk) {
      SsdSteps<M, T, kSm90Steps> steps;
      steps.ask(job_, at, chunk * kSm90Steps);
      ring.await_empty(chunk);
      steps.write(job_, at, Places::scales(ring, chunk));
      M::arrive(ring.full(chunk));
    }
  }

  BS_DEVICE void consume(int part) const {
    const SsdPlace at = block_.part(job_, part);
    const auto ring = places_.decays(part);
    SsdStateSm90<M, T, kStates> state;
    state.load(job_.h0 + at.of_states(job_), at.elements, job_.state);
    const int chunks = job_.chunks(kSm90Steps);
    BS_NO_UNROLL
    for (int chunk = 0; chunk < chunks; ++chunk) {
      state.round_to(places_.state(part));
      M::publish_writes();
      M::meet(kFirstMeeting + part, 128);  // the state is there for all
      places_.b().await_full(chunk);
      places_.x().await_full(chunk);
      ring.await_full(chunk);
      const std::uint32_t x = places_.x().tile(chunk) + part * Places::kPartBytes, b = places_.b().tile(chunk);
      const SsdScales<kSm90Steps> scales = Places::scales(ring, chunk);
      BS_NO_UNROLL
      for (int half = 0; half < 2; ++half) give_out(at, {places_.c().tile(2 * chunk + half), b, x, places_.state(part)}, scales, chunk, half);
      state.decay(scales.carry());
      state.add(x, b, &scales.leave(0));
      places_.b().leave(chunk);
      places_.x().leave(chunk);
      ring.leave(chunk);
      M::meet(kFirstMeeting + part, 128);  // nobody reads the old state
    }
    state.store(job_.h_last + at.of_states(job_), at.elements, job_.state);
  }

  BS_DEVICE void give_out(const SsdPlace& at, const SsdTiles& tiles, const SsdScales<kSm90Steps>& scales, int chunk, int half) const {
    places_.c().await_full(2 * chunk + half);
    SsdRowsSm90<M, T, kStates> rows(tiles, scales, half);
    rows.run();
    places_.c().leave(2 * chunk + half);
    SsdEnding<M, T, kSm90Steps>(job_, at, tiles.x, chunk * kSm90Steps).write(rows);
  }

  const SsdSm90Job<M>& job_;
  Places places_;
  Block block_;
};

}  // namespace bench::scan
