// SPDX-License-Identifier: Apache-2.0
// One kernel, one problem, one verdict: fill the inputs, cut them over ranks, run, put the outputs together
// again and hold them against the fp64 oracle. Generic over Op and Kernel, so that every op's conformance
// test is a list of problems.
//
//   const Tensors inputs = make_inputs(op, problem, 1);
//   const Tensors outputs = run_kernel(kernel, op, problem, inputs, make_thread_links(ranks));
//   for (const OutputError& e : compare(kernel, op, problem, inputs, outputs)) EXPECT_LE(e.error,
//   e.tolerance) << e.text();
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/problem.hpp"

namespace bench::support {

/// How far one output lies from the oracle: max|x - ref| / max|ref| over all elements. A NaN (also: an
/// element that the kernel never wrote) counts as an infinite error.
struct OutputError {
  std::string name;
  double error = 0.0;
  double tolerance = 0.0;  // what the op allows for this output
  std::int64_t index = 0;  // the worst element, row-major, of the whole output
  double got = 0.0, want = 0.0;
  std::string text() const;
};

/// The op and the kernel of that name; throws Error(internal) when it is not registered.
const Op& find_op(const std::string& name);
const Kernel& find_kernel(const std::string& name);

/// Whole inputs, filled as their specs say from streams (seed, tensor name) and rounded to their dtypes.
Tensors make_inputs(const Op& op, const Problem& problem, std::uint64_t seed);
/// The same values in fp64: what an oracle takes.
Tensors widen(const Tensors& tensors);
/// The slices of `whole` at `positions` along `axis`, in that order, in the same dtype; a negative axis
/// copies everything.
Tensor take(const Tensor& whole, int axis, std::span<const std::int64_t> positions);

/// Runs the kernel once on every rank, each rank in its own thread, over links.size() == problem.ranks links.
/// Outputs are poisoned with NaN first. Returns whole outputs: shares are put back to their positions,
/// outputs without a sequence axis are taken from rank 0 and must have the same bits on every rank. A rank's
/// exception is rethrown once all ranks ended.
Tensors run_kernel(const Kernel& kernel, const Op& op, const Problem& problem, const Tensors& inputs,
                   const std::vector<std::unique_ptr<Link>>& links);

/// Errors of every output that the kernel does not omit, in the op's order.
std::vector<OutputError> compare(const Kernel& kernel, const Op& op, const Problem& problem,
                                 const Tensors& inputs, const Tensors& outputs);

/// The same in two steps, for many runs of one problem: the oracle's outputs, and a verdict on one run.
Tensors reference_of(const Op& op, const Problem& problem, const Tensors& inputs);
std::vector<OutputError> compare_to(const Kernel& kernel, const Op& op, const Problem& problem,
                                    const Tensors& reference, const Tensors& outputs);

}  // namespace bench::support
