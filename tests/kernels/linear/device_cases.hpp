// SPDX-License-Identifier: Apache-2.0
// A device's linear kernels on the host: a case with the oracle's answer, and how what a body left is held against it.
#pragma once

#include "kernels/inputs.hpp"
#include "kernels/linear/packets.hpp"
#include "tests/kernels/linear/linear_cases.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::linear::test {

/// Weights of order 1 / sqrt(K) and an x with a mean, so that norms have something to take off and sums lie where activations bend.
inline void like_a_layer(Tensors& in) {
  const double size = 1.0 / std::sqrt(static_cast<double>(in["x"].shape()[1]));
  for (std::int64_t i = 0; i < in["w"].count(); ++i) in["w"].set(i, in["w"].at(i) * size);
  for (std::int64_t i = 0; i < in["x"].count(); ++i) in["x"].set(i, in["x"].at(i) + 0.5);
}

inline LinearCase layer(const Size& size, const std::string& dtype, const std::string& recipe, const Params& more = {}) {
  return LinearCase(size, dtype, recipe, like_a_layer, more);
}

inline Params fused(const std::string& norm, const std::string& activation) { return {{"norm", norm}, {"activation", activation}}; }

/// An output of (M, N), poisoned, and a margin behind it that nobody may write.
struct Output {
  Tensor y;
  std::int64_t count;

  explicit Output(const LinearProblem& p) : y(p.dtype, {p.m * p.n + 64}), count(p.m * p.n) { poison(y); }
  void expect(const LinearCase& c) const {
    double worst = 0.0, scale = 0.0;
    for (std::int64_t i = 0; i < count; ++i) {
      const double want = c.expected["y"].at(i), error = std::abs(y.at(i) - want);
      scale = std::max(scale, std::abs(want));
      worst = std::max(worst, std::isfinite(error) ? error : std::numeric_limits<double>::infinity());
    }
    EXPECT_LE(worst, linear_op().tolerance(*c.problem, "y") * (scale > 0.0 ? scale : 1.0)) << c.text;
    for (std::int64_t i = count; i < count + 64; ++i) ASSERT_TRUE(std::isnan(y.at(i))) << c.text << ": written behind the end";
  }
};

}  // namespace bench::linear::test
