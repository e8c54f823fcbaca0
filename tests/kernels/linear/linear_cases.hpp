// SPDX-License-Identifier: Apache-2.0
// What the tests of the linear op share: problems by parameter, kernels, and the comparison with the oracle.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/linear/linear.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"

namespace bench::linear {

struct Size {
  std::int64_t m, n, k, threads;
};

inline const Op& linear_op() {
  return support::find_op("linear");
}

/// The op's defaults with some parameters replaced.
inline Params params_with(const Params& changes) {
  Params params;
  for (const ParamSpec& spec : common_params()) params[spec.name] = spec.fallback;
  for (const ParamSpec& spec : linear_op().params) params[spec.name] = spec.fallback;
  for (const auto& [key, value] : changes) params[key] = value;
  return params;
}

inline std::unique_ptr<Problem> problem_of(const Size& size, const std::string& dtype,
                                           const std::string& recipe, const Params& more = {}) {
  Params changes{{"tokens", size.m},         {"out_features", size.n}, {"in_features", size.k},
                 {"threads", size.threads}, {"dtype", dtype},         {"recipe", recipe}};
  for (const auto& [name, value] : more) changes[name] = value;
  return linear_op().parse(params_with(changes));
}

inline std::vector<const Kernel*> linear_kernels() {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == "linear") kernels.push_back(kernel);
  return kernels;
}

inline const std::vector<std::string>& activations() {
  static const std::vector<std::string> names{"none", "relu", "leakyrelu", "relu6", "sigmoid", "tanh", "silu", "gelu", "hardswish"};
  return names;
}

/// Changes some inputs of a case after they were filled.
using Spoil = std::function<void(Tensors& inputs)>;

/// Sets every element of an input to f(index), rounded to its type.
inline void fill(Tensors& inputs, const std::string& name, const std::function<double(std::int64_t)>& f) {
  Tensor& tensor = inputs[name];
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, f(i));
}

/// One problem with its inputs and the oracle's answer, for many kernels.
struct LinearCase {
  std::unique_ptr<Problem> problem;
  Tensors inputs, expected;
  std::string text;

  LinearCase(const Size& size, const std::string& dtype, const std::string& recipe,
             const Spoil& spoil = nullptr, const Params& more = {})
      : problem(problem_of(size, dtype, recipe, more)), inputs(support::make_inputs(linear_op(), *problem, 1)) {
    text = concat("m=", size.m, " n=", size.n, " k=", size.k, " threads=", size.threads, " ", dtype, " ",
                  recipe);
    for (const auto& [name, value] : more) text += concat(" ", name, "=", bench::to_text(value));
    if (spoil) spoil(inputs);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(size.m));
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    expected = linear_op().reference(*problem, support::widen(inputs), rows);
  }

  /// Runs the kernel (outputs are poisoned with NaN first) and holds y to the op's tolerance, relative to the
  /// largest |y| of the oracle. False when the kernel declines the problem.
  bool expect_like_oracle(const Kernel& kernel) const {
    if (!supports_case(kernel, *problem).empty()) return false;
    const Tensors outputs =
        support::run_kernel(kernel, linear_op(), *problem, inputs, comm::make_thread_links(1));
    double worst = 0.0, scale = 0.0;
    for (std::int64_t i = 0; i < expected["y"].count(); ++i) {
      const double want = expected["y"].at(i), error = std::abs(outputs["y"].at(i) - want);
      scale = std::max(scale, std::abs(want));
      worst = std::max(worst, std::isfinite(error) ? error : std::numeric_limits<double>::infinity());
    }
    EXPECT_LE(worst, linear_op().tolerance(*problem, "y") * (scale > 0.0 ? scale : 1.0))
        << kernel.name << ": " << text;
    return true;
  }
};

}  // namespace bench::linear
