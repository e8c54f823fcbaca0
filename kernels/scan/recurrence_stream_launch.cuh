// SPDX-License-Identifier: Apache-2.0
// A block for all steps of its channels (recurrence_stream.hpp): what the kernels of both layouts and passes share.
#pragma once

#include "kernels/scan/recurrence_launch.cuh"
#include "kernels/scan/recurrence_stream.hpp"

namespace bench::scan {

template <class Tiles, Sweep kSweep>
struct StreamKernel {
  static std::string supports(const Problem& problem) {
    const auto& p = problem_as<RecurrenceProblem>(problem);
    for (const std::string& reason : {Tiles::refuses(p), takes_numbers(p)})
      if (!reason.empty()) return reason;
    return with_tile<Tiles, kSweep>(p, [&]<class Tile>() { return fits_a_launch(RecurrenceStream<cuda::Machine, Tile>::blocks(recurrence_job(p))); });
  }
  static std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
    return std::make_unique<RecurrenceOnDevice>(problem_as<RecurrenceProblem>(problem), tensors);
  }
  static void run(const Problem& problem, Tensors&, Context& context) {
    with_tile<Tiles, kSweep>(problem_as<RecurrenceProblem>(problem),
                             [&]<class Tile>() { launch_part<RecurrenceStream<cuda::Machine, Tile>>(job_of(context), context); });
  }
};

}  // namespace bench::scan
