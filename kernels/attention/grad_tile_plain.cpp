// SPDX-License-Identifier: Apache-2.0
// Whatever the compiler may assume without flags: 16-byte vectors, a 4 x 2 tile.
#include "kernels/attention/grad_tile.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>

#include "kernels/attention/grad_strip.hpp"
#include "kernels/attention/softmax_state.hpp"

namespace bench::attention {

GradEngine<float> grad_float_plain() {
  return {"plain", 2 * 4, GradStrip<Core<float, 4>, 2, 4, 2, 4>::add};
}
GradEngine<double> grad_double_plain() {
  return {"plain", 2 * 2, GradStrip<Core<double, 2>, 2, 4, 2, 4>::add};
}

}  // namespace bench::attention
