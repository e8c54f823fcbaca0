// SPDX-License-Identifier: Apache-2.0
// Choice of the backward engine.
#include "kernels/attention/grad_tile.hpp"

#include <vector>

#include "kernels/isa.hpp"

namespace bench::attention {
namespace {

template <class Real>
GradEngine<Real> pick(GradEngine<float> (*in_float)(), GradEngine<double> (*in_double)()) {
  if constexpr (std::is_same_v<Real, float>) {
    return in_float();
  } else {
    return in_double();
  }
}

template <class Real>
std::vector<GradEngine<Real>> find_engines() {
  std::vector<GradEngine<Real>> engines{pick<Real>(grad_float_plain, grad_double_plain)};
#if defined(__x86_64__)
  if (has_isa(Isa::avx2)) engines.push_back(pick<Real>(grad_float_avx2, grad_double_avx2));
  if (has_isa(Isa::avx512)) engines.push_back(pick<Real>(grad_float_avx512, grad_double_avx512));
#endif
  return engines;
}

}  // namespace

template <class Real>
std::span<const GradEngine<Real>> grad_engines() {
  static const std::vector<GradEngine<Real>> engines = find_engines<Real>();
  return engines;
}

template <class Real>
const GradEngine<Real>& grad_engine() {
  return grad_engines<Real>().back();
}

template std::span<const GradEngine<float>> grad_engines();
template std::span<const GradEngine<double>> grad_engines();
template const GradEngine<float>& grad_engine();
template const GradEngine<double>& grad_engine();

}  // namespace bench::attention
