// SPDX-License-Identifier: Apache-2.0
// Spans of steps in three launches of fixed order (recurrence_stream.hpp), in both layouts: what the kernels of both passes share.
//
// A span is 8 tiles: 8192 steps of fp32, or 512 steps of 32 or 64 channels. It depends on nothing else, so a problem's bits are the same on every device.
#pragma once

#include "kernels/scan/recurrence_launch.cuh"
#include "kernels/scan/recurrence_stream.hpp"

namespace bench::scan {

template <Sweep kSweep>
struct ReduceScanKernel {
  static constexpr std::int64_t kTilesASpan = 8;
  static constexpr Sweep kCarries = kSweep == Sweep::forward ? Sweep::forward : Sweep::backward_carries;

  /// Calls f with the tile that writes.
  template <Sweep kOf, class F>
  static auto with_tile_of(const RecurrenceProblem& p, F&& f) {
    if (p.time_last) return with_tile<StepsTiles<1>, kOf>(p, f);
    return with_tile<ChannelsTiles<8>, kOf>(p, f);
  }
  static std::int64_t spans(std::int64_t tiles) { return ceil_div(tiles, kTilesASpan); }

  static std::string supports(const Problem& problem) {
    const auto& p = problem_as<RecurrenceProblem>(problem);
    if (const std::string reason = takes_numbers(p); !reason.empty()) return reason;
    const RecurrenceJob job = recurrence_job(p);
    return with_tile_of<kSweep>(p, [&]<class Tile>() { return fits_a_launch(Tile::groups(job) * spans(Tile::tiles(job))); });
  }
  static std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
    const auto& p = problem_as<RecurrenceProblem>(problem);
    auto prepared = std::make_unique<RecurrenceOnDevice>(p, tensors);
    with_tile_of<kSweep>(p, [&]<class Tile>() { prepared->cut(Tile::tiles(prepared->job()), kTilesASpan, sizeof(typename Tile::Number)); });
    return prepared;
  }
  static void run(const Problem& problem, Tensors&, Context& context) {
    const auto& p = problem_as<RecurrenceProblem>(problem);
    const RecurrenceJob& job = job_of(context);
    if (job.spans > 1)
      with_tile_of<kCarries>(p, [&]<class Tile>() {
        launch_part<RecurrenceReduce<cuda::Machine, Tile>>(job, context);
        launch_part<RecurrenceCarries<cuda::Machine, typename Tile::Number>>(job, context);
      });
    with_tile_of<kSweep>(p, [&]<class Tile>() { launch_part<RecurrenceStream<cuda::Machine, Tile>>(job, context); });
  }
};

}  // namespace bench::scan
