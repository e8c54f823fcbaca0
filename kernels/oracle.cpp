// SPDX-License-Identifier: Apache-2.0
#include "kernels/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "kernels/inputs.hpp"

namespace bench {
namespace {

constexpr std::int64_t kFewestRows = 8;

std::int64_t sequence_length(const Op& op, const Problem& problem) {
  for (const TensorSpec& spec : op.inputs(problem))
    if (spec.sequence_axis >= 0) return spec.shape[static_cast<std::size_t>(spec.sequence_axis)];
  return 0;
}

/// Strides of a row-major tensor seen as (outer, sequence, inner).
struct Axes {
  std::int64_t outer = 1, length = 1, inner = 1;
};
Axes axes_of(const Shape& shape, int sequence_axis) {
  Axes axes;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (static_cast<int>(i) < sequence_axis) axes.outer *= shape[i];
    if (static_cast<int>(i) == sequence_axis) axes.length = shape[i];
    if (static_cast<int>(i) > sequence_axis) axes.inner *= shape[i];
  }
  return axes;
}

double worst_of(double worst, double got, double want) {
  if (got == want) return worst;  // infinities too
  const double error = std::abs(got - want);
  return std::isfinite(error) ? std::max(worst, error) : std::numeric_limits<double>::infinity();
}

/// max|x - ref| over the rows this rank holds; rows and positions are global.
double worst_error(const Tensor& got, const TensorSpec& spec, std::span<const std::int64_t> positions, const Tensor& want,
                   const std::vector<std::int64_t>& rows) {
  double worst = 0.0;
  if (spec.sequence_axis < 0) {
    for (std::int64_t i = 0; i < got.count(); ++i) worst = worst_of(worst, got.at(i), want.at(i));
    return worst;
  }
  const Axes mine = axes_of(got.shape(), spec.sequence_axis);
  for (std::int64_t local = 0; local < mine.length; ++local) {
    const auto row = std::ranges::lower_bound(rows, positions[static_cast<std::size_t>(local)]);
    if (row == rows.end() || *row != positions[static_cast<std::size_t>(local)]) continue;
    const std::int64_t at = row - rows.begin();
    for (std::int64_t o = 0; o < mine.outer; ++o)
      for (std::int64_t i = 0; i < mine.inner; ++i)
        worst = worst_of(worst, got.at((o * mine.length + local) * mine.inner + i),
                         want.at((o * static_cast<std::int64_t>(rows.size()) + at) * mine.inner + i));
  }
  return worst;
}

std::int64_t count_not_finite(const Tensor& tensor, const TensorSpec& spec) {
  return dispatch(tensor.dtype(), [&]<class T>() {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < tensor.count(); ++i) {
      const double x = static_cast<double>(load(tensor.as<T>()[i]));
      count += std::isfinite(x) || (x < 0.0 && x == spec.low) ? 0 : 1;
    }
    return count;
  });
}

}  // namespace

std::vector<std::int64_t> rows_to_check(const Op& op, const Problem& problem, double budget_ops) {
  const std::int64_t length = sequence_length(op, problem);
  const double per_row = op.reference_ops_per_row(problem);
  const double affordable = per_row > 0.0 ? budget_ops / per_row : static_cast<double>(length);
  const std::int64_t wanted = affordable >= static_cast<double>(length) ? length : std::max(kFewestRows, static_cast<std::int64_t>(affordable));
  std::set<std::int64_t> rows;
  const auto take = [&](std::int64_t row) {
    if (row >= 0 && row < length && static_cast<std::int64_t>(rows.size()) < wanted) rows.insert(row);
  };
  for (const std::int64_t row : {std::int64_t{0}, length - 1, std::int64_t{1}}) take(row);
  const std::int64_t spread = std::max<std::int64_t>(1, wanted / 2);  // half the rows evenly, so that no region goes unseen
  for (std::int64_t i = 1; i < spread; ++i) take(i * length / spread);
  for (std::int64_t edge = 8; edge < length; edge *= 2) take(edge - 1), take(edge);
  for (std::int64_t row = 0; row < length; ++row) take(row);
  return {rows.begin(), rows.end()};
}

Expected expect(const Op& op, const Problem& problem, std::uint64_t seed, double budget_ops) {
  Tensors inputs;
  for (const TensorSpec& spec : op.inputs(problem)) inputs.add(spec.name, whole_input(spec, seed));
  Expected expected;
  expected.rows = rows_to_check(op, problem, budget_ops);
  expected.outputs = op.reference(problem, inputs, expected.rows);
  if (op.figures != nullptr) expected.figures = op.figures(problem, inputs, expected.rows, expected.outputs);
  for (const auto& [name, tensor] : expected.outputs.all()) {
    double scale = 0.0;
    for (std::int64_t i = 0; i < tensor.count(); ++i)
      if (std::isfinite(tensor.at(i))) scale = std::max(scale, std::abs(tensor.at(i)));
    expected.scale.push_back(scale > 0.0 ? scale : 1.0);
  }
  return expected;
}

std::vector<Deviation> compare(const Op& op, const Problem& problem, const Kernel& kernel, const Tensors& outputs,
                               std::span<const std::int64_t> positions, const Expected& expected) {
  std::vector<Deviation> deviations;
  for (const TensorSpec& spec : op.outputs(problem)) {
    if (std::ranges::find(kernel.omits, spec.name) != kernel.omits.end()) continue;
    const auto& items = expected.outputs.all();
    const auto item = std::ranges::find_if(items, [&](const auto& i) { return i.first == spec.name; });
    BS_REQUIRE(item != items.end(), "the reference gives no '", spec.name, "'");
    const double scale = expected.scale[static_cast<std::size_t>(item - items.begin())];
    const Tensor& got = outputs[spec.name];
    deviations.push_back({.output = spec.name,
                          .error = worst_error(got, spec, positions, item->second, expected.rows) / scale,
                          .tolerance = op.tolerance(problem, spec.name),
                          .not_finite = count_not_finite(got, spec)});
  }
  return deviations;
}

}  // namespace bench
