// SPDX-License-Identifier: Apache-2.0
// What the tests of both scan ops share: problems by parameter, kernels by op, and the comparison with the
// oracle.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"

namespace bench::scan {

/// The op's defaults with some parameters replaced.
inline Params params_with(const Op& op, const Params& changes) {
  Params params = default_params(op);
  for (const auto& [key, value] : changes) params[key] = value;
  return params;
}

/// The forms of a selective problem besides the default one: constant B or C or both, complex, complex with constants.
inline std::vector<Params> in_selective_forms(const Params& plain) {
  std::vector<Params> forms;
  for (const bool complex : {false, true})
    for (const bool constant_b : {false, true})
      for (const bool constant_c : {false, true}) {
        if (!complex && !constant_b && !constant_c) continue;
        Params form = plain;
        form["complex"] = complex, form["constant_b"] = constant_b, form["constant_c"] = constant_c;
        if (constant_b && constant_c) form["groups"] = std::int64_t{1};  // they share nothing
        forms.push_back(form);
      }
  return forms;
}

inline std::string text_of(const Params& params) {
  std::string text;
  for (const auto& [key, value] : params) text += key + "=" + to_text(value) + " ";
  return text;
}

/// The op's kernels on the host that have this pass. Those of a device are held to the oracle in tests/device, another program's in tests/cli.
inline std::vector<const Kernel*> kernels_of(const std::string& op, bool only_collective = false,
                                             const std::string& pass = "fwd") {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == op && (kernel->backend == Backend::cpu || kernel->backend == Backend::torch) && (kernel->collective || !only_collective) &&
        std::ranges::find(kernel->passes, pass) != kernel->passes.end())
      kernels.push_back(kernel);
  return kernels;
}

/// "scan/selective_chunked_cpu" -> "selective_chunked_cpu", which a test name may hold.
inline std::string short_name(const Kernel& kernel) {
  return kernel.name.substr(kernel.name.find('/') + 1);
}

/// Changes some inputs of a case after they were filled.
using Spoil = std::function<void(Tensors& inputs)>;

/// Sets every element of an input to f(index), rounded to its type.
inline void fill(Tensors& inputs, const std::string& name, const std::function<double(std::int64_t)>& f) {
  Tensor& tensor = inputs[name];
  for (std::int64_t i = 0; i < tensor.count(); ++i) tensor.set(i, f(i));
}

inline Tensors run_on_threads(const Kernel& kernel, const Problem& problem, const Tensors& inputs) {
  const auto links = comm::make_thread_links(static_cast<int>(problem.ranks));
  return support::run_kernel(kernel, support::find_op(kernel.op), problem, inputs, links);
}

/// Runs the kernel (outputs are poisoned with NaN first) and holds every output to the op's tolerance.
/// Problems that the kernel declines are left out.
inline void expect_like_oracle(const Kernel& kernel, const Params& changes, const Spoil& spoil = nullptr) {
  SCOPED_TRACE(kernel.name + ": " + text_of(changes));
  const Op& op = support::find_op(kernel.op);
  const auto problem = op.parse(params_with(op, changes));
  if (!supports_case(kernel, *problem).empty()) return;
  Tensors inputs = support::make_inputs(op, *problem, 1);
  if (spoil) spoil(inputs);
  const Tensors outputs = run_on_threads(kernel, *problem, inputs);
  for (const auto& e : support::compare(kernel, op, *problem, inputs, outputs))
    EXPECT_LE(e.error, e.tolerance) << e.text();
}

inline std::vector<std::int64_t> row_range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> rows;
  for (std::int64_t t = begin; t < end; ++t) rows.push_back(t);
  return rows;
}

/// Holds the oracle, asked for some rows, to those rows of all `length` of them.
inline void expect_chosen_rows_like_whole(const Op& op, const Problem& problem, std::int64_t length,
                                          const std::vector<std::int64_t>& some) {
  const Tensors in = support::make_inputs(op, problem, 1);
  const Tensors whole = op.reference(problem, in, row_range(0, length)), part = op.reference(problem, in, some);
  for (const TensorSpec& spec : op.outputs(problem)) {
    const Tensor want = support::take(whole[spec.name], spec.sequence_axis, some);
    ASSERT_EQ(part[spec.name].shape(), want.shape()) << spec.name;
    for (std::int64_t i = 0; i < want.count(); ++i)
      EXPECT_EQ(part[spec.name].at(i), want.at(i)) << spec.name << "[" << i << "]";
  }
}

/// sum of weight * value over two tensors of equal shape.
inline double dot(const Tensor& weight, const Tensor& value) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < value.count(); ++i) sum += weight.at(i) * value.at(i);
  return sum;
}

/// Holds `gradient` to the central differences of `loss` by every element of input `name`, to `allowed` of
/// the largest of them.
inline void expect_gradient(Tensors& inputs, const std::string& name, const Tensor& gradient,
                            const std::function<double()>& loss, double step, double allowed) {
  Tensor& x = inputs[name];
  ASSERT_EQ(gradient.count(), x.count()) << name;
  double scale = 0.0;
  for (std::int64_t i = 0; i < x.count(); ++i) scale = std::max(scale, std::abs(gradient.at(i)));
  for (std::int64_t i = 0; i < x.count(); ++i) {
    const double at = x.at(i);
    x.set(i, at + step);
    const double above = loss();
    x.set(i, at - step);
    const double below = loss();
    x.set(i, at);
    EXPECT_NEAR(gradient.at(i), (above - below) / (2.0 * step), allowed * scale)
        << "d" << name << "[" << i << "]";
  }
}

inline const std::vector<std::string>& all_dtypes() {
  static const std::vector<std::string> names{"fp64", "fp32", "bf16", "fp16"};
  return names;
}

}  // namespace bench::scan
