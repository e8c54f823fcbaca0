// SPDX-License-Identifier: Apache-2.0
// Which body a device's plain kernels of the selective scan take for a problem.
#pragma once

#include <string>

#include "kernels/scan/selective_device.hpp"
#include "kernels/scan/selective_plain_job.hpp"

namespace bench::scan {

/// Calls f with the element type, the shape of lanes for so many floats of states, and the states' numbers. Few shapes: these kernels are here for the forms that no other takes.
template <class F>
auto with_plain(const SelectiveProblem& p, F&& f) {
  const std::int64_t floats = p.state * p.parts();
  const auto of = [&]<class T, class N>() {
    if (floats <= 16) return f.template operator()<T, LaneShape<4, 4, 1>, N>();
    if (floats <= 128) return f.template operator()<T, LaneShape<4, 32, 1>, N>();
    return f.template operator()<T, LaneShape<8, 32, 1>, N>();
  };
  const auto of_type = [&]<class T>() { return p.complex ? of.template operator()<T, ComplexNumber>() : of.template operator()<T, float>(); };
  if (p.dtype == DType::f32) return of_type.template operator()<float>();
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  return of_type.template operator()<F16>();
}

/// Kernel::supports.
inline std::string takes_every_form(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.state * p.parts() <= kMostStates) return {};
  return concat("state = ", p.state, ": this kernel takes up to ", kMostStates, " states a channel, complex = true half as many");
}

}  // namespace bench::scan
