// SPDX-License-Identifier: Apache-2.0
// Kernels of the cuda backend on a device, whatever their op: against the fp64 oracle, and against themselves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/kernel.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/device/with_device.hpp"
#include "tests/support/run_case.hpp"

namespace bench::test {

inline std::vector<const Kernel*> kernels_on_device(const std::string& op) {
  std::vector<const Kernel*> found;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == op && kernel->backend == Backend::cuda) found.push_back(kernel);
  return found;
}

inline Tensors run_alone(const Kernel& kernel, const Problem& p, const Tensors& inputs) {
  return support::run_kernel(kernel, support::find_op(kernel.op), p, inputs, comm::make_thread_links(1));
}

/// 1 when the kernel takes the problem; then it has been held against the oracle. A device that it does not run on counts as not taken.
inline int check(const Kernel& kernel, const Problem& p, const std::string& what) {
  if (!supports_case(kernel, p).empty()) return 0;
  SCOPED_TRACE(concat(kernel.name, ' ', to_text(p.dtype), ' ', what));
  const Op& op = support::find_op(kernel.op);
  const Tensors inputs = support::make_inputs(op, p, 1);
  try {
    for (const auto& e : support::compare(kernel, op, p, inputs, run_alone(kernel, p, inputs))) EXPECT_LE(e.error, e.tolerance) << e.text();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    return 0;
  }
  return 1;
}

/// A hundred runs leave the same bits in all outputs but `varying`.
inline void expect_the_same_bits(const Kernel& kernel, const Problem& p, const std::vector<std::string>& varying = {}) {
  if (check(kernel, p, "repeats") == 0) return;
  const Op& op = support::find_op(kernel.op);
  const Tensors inputs = support::make_inputs(op, p, 1);
  const Tensors first = run_alone(kernel, p, inputs);
  for (int i = 0; i < 100; ++i) {
    const Tensors again = run_alone(kernel, p, inputs);
    for (const auto& [name, tensor] : first.all()) {
      if (std::ranges::count(varying, name) > 0) continue;
      ASSERT_EQ(std::memcmp(tensor.data(), again[name].data(), static_cast<std::size_t>(tensor.bytes())), 0) << kernel.name << ' ' << name << ", run " << i;
    }
  }
}

}  // namespace bench::test
