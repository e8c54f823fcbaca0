// SPDX-License-Identifier: Apache-2.0
// What the two scan ops share: the dtype of states, checked parameters, and how a number of threads cuts an
// extent.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/problem.hpp"
#include "kernels/rounding.hpp"

namespace bench::scan {

/// States, decays and carries are kept in fp32, in fp64 for fp64 problems: a 16-bit state drifts over long
/// sequences.
inline DType state_dtype(DType dtype) {
  return accumulator_of(dtype);
}

/// The same as a type, from an element type.
template <class T>
using StateOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

inline TensorSpec make_uniform_spec(std::string name, DType dtype, Shape shape, int sequence_axis, double low,
                                    double high) {
  TensorSpec spec = make_spec(std::move(name), dtype, std::move(shape), sequence_axis);
  spec.fill = Fill::uniform;
  spec.low = low;
  spec.high = high;
  return spec;
}

/// A half-open range of indices.
struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

/// Part `index` of `parts` nearly equal runs of [0, extent), each a multiple of `grain` long but the last.
/// May be empty.
inline Range part_of(std::int64_t extent, std::int64_t grain, std::int64_t parts, std::int64_t index) {
  const std::int64_t grains = ceil_div(extent, grain);
  const auto edge = [&](std::int64_t i) {
    const std::int64_t at = grains * i / parts * grain;
    return at < extent ? at : extent;
  };
  return {edge(index), edge(index + 1)};
}

}  // namespace bench::scan
