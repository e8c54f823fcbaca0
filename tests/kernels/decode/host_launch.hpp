// SPDX-License-Identifier: Apache-2.0
// A device's decode kernels on the host: blocks over spans and their merge, as a launch would have them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "kernels/decode/paged_merge.hpp"
#include "kernels/inputs.hpp"
#include "tests/kernels/decode/decode_cases.hpp"
#include "tests/support/host_machine.hpp"

namespace bench::decode::test {

/// A problem with inputs; what no sequence owns is NaN.
struct HostCase {
  std::unique_ptr<Problem> problem;
  Tensors inputs;
  const DecodeProblem& p() const { return problem_as<DecodeProblem>(*problem); }

  explicit HostCase(const Params& changes) {
    Params params = default_params(decode_op());
    for (const auto& [name, value] : changes) params[name] = value;
    problem = decode_op().parse(params);
    inputs = support::make_inputs(decode_op(), p(), 1);
  }
  void spoil_what_nobody_owns() {
    for (const char* name : {"k_cache", "v_cache"})
      for_each_unused(p(), [&](std::int64_t i) { inputs[name].set(i, std::numeric_limits<double>::quiet_NaN()); });
  }
};

/// Runs Body over sequences first .. first + count - 1, cut into spans of `span` tokens; returns their rows of the outputs.
template <class T, class Body>
Tensors run_on_host(const HostCase& c, std::int64_t span, std::int64_t first, std::int64_t count, std::uint64_t seed = 1) {
  const DecodeProblem& p = c.p();
  const auto table = block_table(p);
  const auto all = sequence_lengths(p);
  const std::vector<std::int32_t> lengths(all.begin() + first, all.begin() + first + count);
  const std::int64_t longest = *std::ranges::max_element(lengths), splits = ceil_div(longest, span), rows = count * p.heads;
  Tensors outputs;
  poison(outputs.add("out", Tensor(p.dtype, {count, p.heads, p.head_dim})));
  poison(outputs.add("lse", Tensor(DType::f32, {count, p.heads})));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> part_out(static_cast<std::size_t>(rows * splits * p.head_dim), nan), part_lse(static_cast<std::size_t>(rows * splits), nan);
  PagedJob job = paged_job(p, {splits, span});
  job.batch = static_cast<int>(count);
  job.q = c.inputs["q"].data() + first * p.heads * p.head_dim * size_of(p.dtype);
  job.k = c.inputs["k_cache"].data();
  job.v = c.inputs["v_cache"].data();
  job.out = outputs["out"].data();
  job.lse = outputs["lse"].as<float>();
  job.table = table.data() + first * p.pages_each();
  job.lengths = lengths.data();
  job.part_out = part_out.data();
  job.part_lse = part_lse.data();
  support::run_blocks(Body::blocks(job), Body::kThreads, Body::kSharedBytes, seed, [&] { Body(job).run(); });
  using Merge = PagedMerge<support::HostMachine, T>;
  if (splits > 1) support::run_blocks(job.batch * job.heads, Merge::kThreads, 0, seed, [&] { Merge::run(job); });
  return outputs;
}

template <class T, class Body>
void expect_the_oracles_answer(const Params& changes, std::int64_t span, std::uint64_t seed = 1) {
  HostCase c(changes);
  const Tensors reference = support::reference_of(decode_op(), c.p(), c.inputs);
  c.spoil_what_nobody_owns();
  expect_like(support::find_kernel("decode/naive_cpu"), c.p(), reference, run_on_host<T, Body>(c, span, 0, c.p().batch, seed));
}

inline Params with(Params params, const std::string& name, const Value& value) {
  params[name] = value;
  return params;
}

/// Two sequences in bf16.
inline Params shape(std::int64_t seq, std::int64_t heads, std::int64_t kv_heads) {
  return {{"batch", std::int64_t{2}}, {"seq", seq}, {"heads", heads}, {"kv_heads", kv_heads}, {"dtype", std::string("bf16")}};
}

}  // namespace bench::decode::test
