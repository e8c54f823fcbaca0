// SPDX-License-Identifier: Apache-2.0
// A block a tile, blocks look back at each other (recurrence_lookback.hpp), in both layouts: what the kernels of both passes share.
//
// Tiles: 4096 steps of fp32 (4 x 256 x 16 bytes), or 128 steps of 32 channels (64 of 16 bits): as much as a block's registers hold of all its tensors, so
// that one look-back and one record a channel serve as many bytes as they can.
#pragma once

#include "kernels/scan/recurrence_launch.cuh"
#include "kernels/scan/recurrence_lookback.hpp"

namespace bench::scan {

template <Sweep kSweep>
struct LookbackKernel {
  template <class F>
  static auto with_body(const RecurrenceProblem& p, F&& f) {
    const auto of_tile = [&]<class Tile>() { return f.template operator()<Tile, RecurrenceLookback<cuda::Machine, Tile>>(); };
    if (p.time_last) return with_tile<StepsTiles<kSweep == Sweep::forward ? 4 : 2>, kSweep>(p, of_tile);
    return with_tile<ChannelsTiles<kSweep == Sweep::forward ? 16 : 8>, kSweep>(p, of_tile);
  }
  static std::string supports(const Problem& problem) {
    const auto& p = problem_as<RecurrenceProblem>(problem);
    if (const std::string reason = takes_numbers(p); !reason.empty()) return reason;
    return with_body(p, [&]<class Tile, class Body>() { return fits_a_launch(Body::blocks(recurrence_job(p))); });
  }
  static std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
    const auto& p = problem_as<RecurrenceProblem>(problem);
    auto prepared = std::make_unique<RecurrenceOnDevice>(p, tensors);
    with_body(p, [&]<class Tile, class Body>() { prepared->add_records(p.batch * p.channels * Tile::tiles(prepared->job()) * Body::kRecordBytes); });
    return prepared;
  }
  static void run(const Problem& problem, Tensors&, Context& context) {
    with_body(problem_as<RecurrenceProblem>(problem), [&]<class Tile, class Body>() { launch_part<Body>(job_of(context), context); });
  }
};

}  // namespace bench::scan
