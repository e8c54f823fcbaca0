// SPDX-License-Identifier: Apache-2.0
#include "tests/support/run_case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <numeric>
#include <thread>

#include "src/core/rng.hpp"

namespace bench::support {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<std::int64_t> all_positions(std::int64_t length) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(length));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  return positions;
}

/// A tensor seen as (outer, along, inner) around its sequence axis; inner in bytes.
struct Cut {
  std::int64_t outer = 1, along = 1, inner_bytes = 1;
};
Cut cut_at(const Tensor& tensor, int axis) {
  Cut cut;
  cut.inner_bytes = size_of(tensor.dtype());
  for (int i = 0; i < static_cast<int>(tensor.shape().size()); ++i) {
    const std::int64_t extent = tensor.shape()[static_cast<std::size_t>(i)];
    if (i < axis) cut.outer *= extent;
    if (i == axis) cut.along = extent;
    if (i > axis) cut.inner_bytes *= extent;
  }
  return cut;
}

/// Copies slice `share[i]` <-> `whole[positions[i]]` along the axis.
void move_slices(Tensor& whole, Tensor& share, int axis, std::span<const std::int64_t> positions,
                 bool to_whole) {
  const Cut w = cut_at(whole, axis), s = cut_at(share, axis);
  for (std::int64_t o = 0; o < w.outer; ++o) {
    for (std::size_t i = 0; i < positions.size(); ++i) {
      std::byte* in_whole = whole.data() + (o * w.along + positions[i]) * w.inner_bytes;
      std::byte* in_share = share.data() + (o * s.along + static_cast<std::int64_t>(i)) * s.inner_bytes;
      std::memcpy(to_whole ? in_whole : in_share, to_whole ? in_share : in_whole,
                  static_cast<std::size_t>(w.inner_bytes));
    }
  }
}

std::int64_t sequence_length(const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs)
    if (spec.sequence_axis >= 0) return spec.shape[static_cast<std::size_t>(spec.sequence_axis)];
  return 0;
}

double draw(const TensorSpec& spec, const CounterRng& rng, std::int64_t i) {
  const auto counter = static_cast<std::uint64_t>(i);
  switch (spec.fill) {
    case Fill::normal:
      return rng.normal(counter);
    case Fill::uniform:
      return spec.low + (spec.high - spec.low) * rng.uniform(counter);
    case Fill::whole:
      return std::floor(spec.low + (spec.high - spec.low + 1.0) * rng.uniform(counter));
    case Fill::log_uniform:
      return std::exp(std::log(spec.low) + (std::log(spec.high) - std::log(spec.low)) * rng.uniform(counter));
  }
  throw Error(ErrorKind::internal, "draw: not a fill");
}

/// The shares of one rank: inputs cut out of the whole, outputs poisoned.
Tensors make_share(const Op& op, const Problem& problem, const Tensors& inputs,
                   std::span<const std::int64_t> positions) {
  Tensors share;
  for (const TensorSpec& spec : op.inputs(problem))
    share.add(spec.name, take(inputs[spec.name], spec.sequence_axis, positions));
  for (const TensorSpec& spec : op.outputs(problem)) {
    Shape shape = spec.shape;
    if (spec.sequence_axis >= 0)
      shape[static_cast<std::size_t>(spec.sequence_axis)] = static_cast<std::int64_t>(positions.size());
    Tensor& tensor = share.add(spec.name, Tensor(spec.dtype, shape));
    for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, kNan);
  }
  return share;
}

void run_rank(const Kernel& kernel, const Problem& problem, Tensors& share, Link& link) {
  const std::int64_t bytes = kernel.workspace_bytes != nullptr ? kernel.workspace_bytes(problem) : 0;
  Tensor workspace(DType::f64, {(bytes + 7) / 8});
  for (std::int64_t i = 0; i < workspace.count(); ++i)
    workspace.set(i, kNan);  // scratch that is read before written shows
  Context context;
  context.link = &link;
  context.workspace = {workspace.data(), static_cast<std::size_t>(bytes)};
  std::unique_ptr<Prepared> prepared;
  if (kernel.prepare != nullptr) prepared = kernel.prepare(problem, share, context);
  context.prepared = prepared.get();
  kernel.run(problem, share, context);
  if (prepared) prepared->collect(share);
}

Tensors gather(const Op& op, const Problem& problem, std::vector<Tensors>& shares,
               const std::vector<std::vector<std::int64_t>>& positions) {
  Tensors whole;
  for (const TensorSpec& spec : op.outputs(problem)) {
    Tensor& tensor = whole.add(spec.name, Tensor(spec.dtype, spec.shape));
    if (spec.sequence_axis < 0)
      std::memcpy(tensor.data(), shares[0][spec.name].data(), static_cast<std::size_t>(tensor.bytes()));
    for (std::size_t r = 0; r < shares.size(); ++r) {
      Tensor& part = shares[r][spec.name];
      if (spec.sequence_axis >= 0) {
        move_slices(tensor, part, spec.sequence_axis, positions[r], true);
      } else {
        BS_REQUIRE(std::memcmp(tensor.data(), part.data(), static_cast<std::size_t>(part.bytes())) == 0,
                   "output ", spec.name, " differs between rank 0 and rank ", r);
      }
    }
  }
  return whole;
}

OutputError measure(const std::string& name, const Tensor& got, const Tensor& want) {
  OutputError result{name, 0.0, 0.0, 0, 0.0, 0.0};
  BS_REQUIRE(got.count() == want.count(), "output ", name, ": reference of another size");
  double scale = 0.0, worst = -1.0;
  for (std::int64_t i = 0; i < got.count(); ++i) {
    const double w = want.at(i), g = got.at(i);
    if (std::isfinite(w)) scale = std::max(scale, std::abs(w));
    double error = g == w ? 0.0 : std::abs(g - w);
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    if (error <= worst) continue;
    worst = error;
    result.index = i;
    result.got = g;
    result.want = w;
  }
  result.error = std::max(worst, 0.0) / (scale > 0.0 ? scale : 1.0);
  return result;
}

}  // namespace

std::string OutputError::text() const {
  return concat(name, "[", index, "] = ", got, ", oracle ", want, ": error ", error, " of max|ref|, allowed ",
                tolerance);
}

const Op& find_op(const std::string& name) {
  const Op* op = Registry<Op>::instance().find(name);
  BS_REQUIRE(op != nullptr, "no op '", name, "' is registered");
  return *op;
}

const Kernel& find_kernel(const std::string& name) {
  const Kernel* kernel = Registry<Kernel>::instance().find(name);
  BS_REQUIRE(kernel != nullptr, "no kernel '", name, "' is registered");
  return *kernel;
}

Tensors make_inputs(const Op& op, const Problem& problem, std::uint64_t seed) {
  Tensors inputs;
  for (const TensorSpec& spec : op.inputs(problem)) {
    const CounterRng rng(seed, spec.name);
    Tensor& tensor = inputs.add(spec.name, Tensor(spec.dtype, spec.shape));
    for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, draw(spec, rng, i));
  }
  return inputs;
}

Tensors widen(const Tensors& tensors) {
  Tensors wide;
  for (const auto& [name, tensor] : tensors.all()) {
    Tensor& copy = wide.add(name, Tensor(DType::f64, tensor.shape()));
    for (std::int64_t i = 0; i < tensor.count(); ++i) copy.set(i, tensor.at(i));
  }
  return wide;
}

Tensor take(const Tensor& whole, int axis, std::span<const std::int64_t> positions) {
  Shape shape = whole.shape();
  if (axis >= 0) shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(positions.size());
  Tensor share(whole.dtype(), shape);
  if (axis < 0) {
    std::memcpy(share.data(), whole.data(), static_cast<std::size_t>(whole.bytes()));
  } else {
    move_slices(const_cast<Tensor&>(whole), share, axis, positions, false);  // only read in this direction
  }
  return share;
}

Tensors run_kernel(const Kernel& kernel, const Op& op, const Problem& problem, const Tensors& inputs,
                   const std::vector<std::unique_ptr<Link>>& links) {
  const std::size_t ranks = links.size();
  BS_REQUIRE(problem.ranks == static_cast<std::int64_t>(ranks), "run_kernel: one link per rank is needed");
  std::vector<std::vector<std::int64_t>> positions;
  std::vector<Tensors> shares;
  for (std::size_t r = 0; r < ranks; ++r) {
    positions.push_back(ranks > 1 ? op.positions(problem, static_cast<std::int64_t>(r))
                                  : all_positions(sequence_length(op.inputs(problem))));
    shares.push_back(make_share(op, problem, inputs, positions[r]));
  }
  std::vector<std::exception_ptr> failures(ranks);
  const auto rank_main = [&](std::size_t r) {
    try {
      run_rank(kernel, problem, shares[r], *links[r]);
    } catch (...) {
      failures[r] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t r = 1; r < ranks; ++r) threads.emplace_back(rank_main, r);
  rank_main(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  return gather(op, problem, shares, positions);
}

Tensors reference_of(const Op& op, const Problem& problem, const Tensors& inputs) {
  return op.reference(problem, widen(inputs), all_positions(sequence_length(op.inputs(problem))));
}

std::vector<OutputError> compare(const Kernel& kernel, const Op& op, const Problem& problem,
                                 const Tensors& inputs, const Tensors& outputs) {
  return compare_to(kernel, op, problem, reference_of(op, problem, inputs), outputs);
}

std::vector<OutputError> compare_to(const Kernel& kernel, const Op& op, const Problem& problem,
                                    const Tensors& reference, const Tensors& outputs) {
  std::vector<OutputError> errors;
  for (const TensorSpec& spec : op.outputs(problem)) {
    if (std::ranges::find(kernel.omits, spec.name) != kernel.omits.end()) continue;
    errors.push_back(measure(spec.name, outputs[spec.name], reference[spec.name]));
    errors.back().tolerance = op.tolerance(problem, spec.name);
  }
  return errors;
}

}  // namespace bench::support
