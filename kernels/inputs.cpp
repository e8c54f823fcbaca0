// SPDX-License-Identifier: Apache-2.0
#include "kernels/inputs.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "src/core/rng.hpp"

namespace bench {
namespace {

double draw(const CounterRng& rng, const TensorSpec& spec, std::int64_t index) {
  const auto i = static_cast<std::uint64_t>(index);
  switch (spec.fill) {
    case Fill::normal: return rng.normal(i);
    case Fill::uniform: return spec.low + (spec.high - spec.low) * rng.uniform(i);
    case Fill::whole: return std::floor(spec.low + (spec.high - spec.low + 1.0) * rng.uniform(i));
    case Fill::log_uniform: return spec.low * std::pow(spec.high / spec.low, rng.uniform(i));
  }
  return 0.0;
}

/// Calls visit(local index, global index) for every element of the share.
template <class Visit>
void for_each_element(const TensorSpec& spec, std::span<const std::int64_t> positions, Visit&& visit) {
  if (spec.sequence_axis < 0) {
    const std::int64_t count = element_count(spec.shape);
    for (std::int64_t i = 0; i < count; ++i) visit(i, i);
    return;
  }
  const auto axis = static_cast<std::size_t>(spec.sequence_axis);
  std::int64_t outer = 1, inner = 1;
  for (std::size_t i = 0; i < spec.shape.size(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : spec.shape[i];
  std::int64_t local = 0;
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t position : positions)
      for (std::int64_t i = 0; i < inner; ++i) visit(local++, (o * spec.shape[axis] + position) * inner + i);
}

}  // namespace

Shape share_of(const TensorSpec& spec, std::span<const std::int64_t> positions) {
  Shape shape = spec.shape;
  if (spec.sequence_axis >= 0)
    shape[static_cast<std::size_t>(spec.sequence_axis)] = static_cast<std::int64_t>(positions.size());
  return shape;
}

std::vector<std::int64_t> all_positions(const TensorSpec& spec) {
  if (spec.sequence_axis < 0) return {};
  std::vector<std::int64_t> positions(static_cast<std::size_t>(spec.shape[static_cast<std::size_t>(spec.sequence_axis)]));
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  return positions;
}

std::vector<std::int64_t> positions_of(const Op& op, const Problem& problem, std::int64_t rank) {
  if (problem.ranks > 1) return op.positions(problem, rank);
  for (const TensorSpec& spec : op.inputs(problem))
    if (spec.sequence_axis >= 0) return all_positions(spec);
  return {};
}

void fill_share(Tensor& share, const TensorSpec& spec, std::span<const std::int64_t> positions, std::uint64_t seed) {
  BS_REQUIRE(share.shape() == share_of(spec, positions), "the share of '", spec.name, "' has another shape than its positions say");
  const CounterRng rng(seed, spec.name);
  dispatch(share.dtype(), [&]<class T>() {
    T* data = share.as<T>();
    for_each_element(spec, positions, [&](std::int64_t local, std::int64_t global) { data[local] = store<T>(draw(rng, spec, global)); });
  });
}

Tensor whole_input(const TensorSpec& spec, std::uint64_t seed) {
  Tensor whole(DType::f64, spec.shape);
  const CounterRng rng(seed, spec.name);
  const std::int64_t count = whole.count();
  dispatch(spec.dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < count; ++i) whole.as<double>()[i] = load(store<T>(draw(rng, spec, i)));
  });
  return whole;
}

void poison(Tensor& tensor) {
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, std::numeric_limits<double>::quiet_NaN());
}

}  // namespace bench
