// SPDX-License-Identifier: Apache-2.0
// A device's backward kernel, launched on the host (tests/support/host_machine.hpp), against the fp64 oracle: its three launches one after the other,
// over scratch that is filled with NaN. Launcher::Kernel is the main one's body, and launch(problem, job, seed) runs all blocks.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/attention/bwd_job.hpp"
#include "kernels/attention/saved_forward.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/kernels/attention/host_launch.hpp"

namespace bench::attention::test {

inline Params backward_head(std::int64_t seq, std::int64_t head_dim, bool causal) { return with(one_head(seq, head_dim, causal), "pass", std::string("bwd")); }

/// The inputs, with what the forward pass left.
inline Tensors saved_inputs(const AttentionProblem& p) {
  Tensors tensors = support::make_inputs(support::find_op("attention"), p, 1);
  const auto links = comm::make_thread_links(1);
  std::vector<std::byte> workspace(static_cast<std::size_t>(save_forward_workspace_bytes(p) + 64));
  const std::size_t skip = (64 - reinterpret_cast<std::uintptr_t>(workspace.data()) % 64) % 64;
  Context context;
  context.link = links[0].get();
  context.workspace = std::span(workspace).subspan(skip, workspace.size() - 64);
  save_forward(p, tensors, context);
  return tensors;
}

/// The gradients, and the kernel's fp32 sums of dQ as "dq_sums": rounding to 16 bits hides the order in which they were summed.
template <class Launcher>
Tensors backward(const AttentionProblem& p, Tensors& given, std::uint64_t seed) {
  using Kernel = typename Launcher::Kernel;
  Tensors outputs;
  for (const TensorSpec& spec : support::find_op("attention").outputs(p)) poison(outputs.add(spec.name, Tensor(spec.dtype, spec.shape)));
  const std::vector<std::int32_t> lengths = key_lengths_of(p), bounds = bounds_of(p);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const BwdScratch size(p, Kernel::kRows, Kernel::kColumns, Kernel::kTurnParts);
  std::vector<RowNumbers> rows(static_cast<std::size_t>(size.rows), {kNan, kNan});
  std::vector<int> turns(static_cast<std::size_t>(size.turns), -7);
  int tickets = -7;
  BwdJob job{device_job(p)};
  job.q = given["q"].data();
  job.k = given["k"].data();
  job.v = given["v"].data();
  job.out = given["out"].data();
  job.lse = given["lse"].as<float>();
  job.key_lengths = lengths.empty() ? nullptr : lengths.data();
  job.bounds = bounds.empty() ? nullptr : bounds.data();
  job.dout = given["dout"].data();
  job.dq = outputs["dq"].data();
  job.dk = outputs["dk"].data();
  job.dv = outputs["dv"].data();
  job.rows = rows.data();
  job.dq_sums = outputs.add("dq_sums", Tensor(DType::f32, {size.sums})).template as<float>();
  poison(outputs["dq_sums"]);
  job.turns = Kernel::kTurnParts > 0 ? turns.data() : nullptr;
  job.tickets = Kernel::kTurnParts > 0 ? &tickets : nullptr;
  job.turn_parts = Kernel::kTurnParts;
  Launcher::launch(p, job, seed);
  return outputs;
}

template <class Launcher>
void expect_the_oracles_gradients(const Params& changes) {
  const AttentionProblem p = parsed(changes);
  const Op& op = support::find_op("attention");
  Tensors given = saved_inputs(p);
  const Tensors outputs = backward<Launcher>(p, given, 1);
  const bench::Kernel& any = support::find_kernel("attention/naive_bwd_cpu");  // what is compared: all outputs
  for (const auto& error : support::compare(any, op, p, given, outputs)) EXPECT_LE(error.error, error.tolerance) << error.text();
}

/// Every kind of mask, batch and grouped heads; other keys than queries, packed sequences, capped scores.
template <class Launcher>
void expect_the_oracles_gradients_under_every_mask() {
  const auto check = [](const Params& changes) { expect_the_oracles_gradients<Launcher>(with(changes, "pass", std::string("bwd"))); };
  for_masks_and_groups(check);
  for_lengths(check);
  for_packed_sequences(check);
  for_caps(check);
}

/// Bits of `names` do not depend on the order in which threads and blocks take turns.
template <class Launcher>
void expect_the_same_gradients(const Params& changes, const std::vector<std::string>& names) {
  const AttentionProblem p = parsed(changes);
  Tensors given = saved_inputs(p);
  const Tensors first = backward<Launcher>(p, given, 1);
  for (const std::uint64_t seed : {2, 3}) {
    const Tensors again = backward<Launcher>(p, given, seed);
    for (const std::string& name : names)
      EXPECT_EQ(std::memcmp(first[name].data(), again[name].data(), static_cast<std::size_t>(first[name].bytes())), 0) << name << ", seed " << seed;
  }
}

}  // namespace bench::attention::test
