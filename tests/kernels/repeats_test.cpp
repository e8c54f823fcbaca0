// SPDX-License-Identifier: Apache-2.0
// Every CPU kernel gives the same bits a hundred times over: no result depends on which thread came first.
#include <gtest/gtest.h>

#include <cstring>

#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"

namespace bench {
namespace {

constexpr int kRepeats = 100;

/// Small, so that a hundred runs of every kernel take seconds; odd, so that no tile divides it; two threads, which must not matter.
Params small_params(const Op& op, const Kernel& kernel) {
  Params params = default_params(op);
  for (const auto& [name, value] : Params{{"seq", std::int64_t{67}}, {"heads", std::int64_t{2}}, {"head_dim", std::int64_t{20}}, {"channels", std::int64_t{35}},
                                          {"state", std::int64_t{12}}, {"batch", std::int64_t{3}}, {"tokens", std::int64_t{5}},
                                          {"out_features", std::int64_t{67}}, {"in_features", std::int64_t{131}}, {"threads", std::int64_t{2}}})
    if (params.contains(name)) params[name] = value;
  for (const auto& [name, value] : kernel.example) params[name] = value;
  params["pass"] = kernel.passes.front();
  params["dtype"] = std::string(to_text(kernel.dtypes.size() > 1 ? kernel.dtypes[1] : kernel.dtypes.front()));
  return params;
}

class Repeats : public ::testing::TestWithParam<const Kernel*> {};

TEST_P(Repeats, HaveTheSameBits) {
  const Kernel& kernel = *GetParam();
  const Op& op = support::find_op(kernel.op);
  const auto problem = op.parse(small_params(op, kernel));
  const std::string reason = supports_case(kernel, *problem);
  ASSERT_TRUE(reason.empty()) << kernel.name << ": " << reason;
  const Tensors inputs = support::make_inputs(op, *problem, 1);
  const auto links = comm::make_thread_links(1);
  const Tensors once = support::run_kernel(kernel, op, *problem, inputs, links);
  for (int i = 1; i < kRepeats; ++i) {
    const Tensors again = support::run_kernel(kernel, op, *problem, inputs, links);
    for (const auto& [name, tensor] : once.all())
      ASSERT_EQ(std::memcmp(tensor.data(), again[name].data(), static_cast<std::size_t>(tensor.bytes())), 0) << kernel.name << ": " << name << ", run " << i;
  }
}

std::vector<const Kernel*> cpu_kernels() {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->backend == Backend::cpu) kernels.push_back(kernel);
  return kernels;
}

std::string test_name(const ::testing::TestParamInfo<const Kernel*>& info) {
  std::string name = info.param->name;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Repeats, ::testing::ValuesIn(cpu_kernels()), test_name);

}  // namespace
}  // namespace bench
