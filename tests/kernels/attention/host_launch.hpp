// SPDX-License-Identifier: Apache-2.0
// A device's forward kernel, launched on the host (tests/support/host_machine.hpp), against the fp64 oracle. Launcher::launch(problem, job, seed)
// runs every block.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "kernels/attention/device_job.hpp"
#include "kernels/inputs.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention::test {

inline Params with(Params params, const std::string& name, Value value) {
  params[name] = std::move(value);
  return params;
}

inline Params one_head(std::int64_t seq, std::int64_t head_dim, bool causal) {
  return {{"seq", seq}, {"head_dim", head_dim}, {"causal", causal}, {"heads", std::int64_t{1}}, {"dtype", std::string("bf16")}};
}

inline AttentionProblem parsed(const Params& changes) {
  const Op& op = support::find_op("attention");
  Params params = default_params(op);
  for (const auto& [name, value] : changes) params[name] = value;
  return problem_as<AttentionProblem>(*op.parse(params));
}

template <class Launcher>
Tensors launched(const AttentionProblem& p, Tensors& inputs, std::uint64_t seed) {
  Tensors outputs;
  for (const TensorSpec& spec : support::find_op("attention").outputs(p)) poison(outputs.add(spec.name, Tensor(spec.dtype, spec.shape)));
  const std::vector<std::int32_t> lengths = key_lengths_of(p), bounds = bounds_of(p);
  DeviceJob job = device_job(p);
  job.q = inputs["q"].data();
  job.k = inputs["k"].data();
  job.v = inputs["v"].data();
  job.out = outputs["out"].data();
  job.lse = outputs["lse"].as<float>();
  job.key_lengths = lengths.empty() ? nullptr : lengths.data();
  job.bounds = bounds.empty() ? nullptr : bounds.data();
  Launcher::launch(p, job, seed);
  return outputs;
}

template <class Launcher>
void expect_the_oracles_answer(const AttentionProblem& p) {
  const Op& op = support::find_op("attention");
  Tensors inputs = support::make_inputs(op, p, 1);
  const Tensors outputs = launched<Launcher>(p, inputs, 1);
  const Kernel& any = support::find_kernel("attention/naive_cpu");  // what is compared: all outputs
  for (const auto& error : support::compare(any, op, p, inputs, outputs)) EXPECT_LE(error.error, error.tolerance) << error.text();
}
template <class Launcher>
void expect_the_oracles_answer(const Params& changes) {
  expect_the_oracles_answer<Launcher>(parsed(changes));
}

/// Batch and grouped heads; every kind of mask.
template <class Check>
void for_masks_and_groups(Check&& check) {
  Params changes = with(one_head(150, 64, true), "batch", std::int64_t{2});
  check(with(with(changes, "heads", std::int64_t{4}), "kv_heads", std::int64_t{2}));
  for (const bool causal : {false, true})
    for (const std::int64_t window : {1, 65, 130}) {
      SCOPED_TRACE(concat("window ", window, " causal ", causal));
      check(with(with(with(changes, "causal", causal), "window", window), "key_lengths", std::string("ragged")));
    }
}

/// Queries and keys of different numbers: FlashAttention's odd shapes, and what leaves rows with nothing to see.
template <class Check>
void for_lengths(Check&& check) {
  const std::pair<std::int64_t, std::int64_t> lengths[] = {{1, 1}, {64, 128}, {128, 192}, {239, 1}, {3, 799}, {113, 203}, {128, 217}, {203, 113}};
  for (const auto& [seq, keys] : lengths)
    for (const bool causal : {false, true}) {
      SCOPED_TRACE(concat("L ", seq, " Lk ", keys, causal ? " causal" : " full"));
      check(with(one_head(seq, 64, causal), "kv_seq", keys));
    }
  const Params grouped = with(with(with(one_head(60, 64, true), "batch", std::int64_t{2}), "heads", std::int64_t{4}), "kv_heads", std::int64_t{2});
  for (const std::int64_t window : {0, 33}) check(with(with(with(grouped, "kv_seq", std::int64_t{150}), "key_lengths", std::string("ragged")), "window", window));
}

/// Packed sequences: many in a block of rows, few, one of a row; with all other masks.
template <class Check>
void for_packed_sequences(Check&& check) {
  for (const bool causal : {false, true}) {
    SCOPED_TRACE(causal ? "causal" : "full");
    for (const std::int64_t segments : {2, 5, 40, 150}) check(with(one_head(150, 64, causal), "segments", segments));
    check(with(with(with(with(one_head(300, 64, causal), "segments", std::int64_t{6}), "window", std::int64_t{40}), "batch", std::int64_t{2}), "key_lengths", std::string("ragged")));
  }
}

/// Scores nearly all at the cap, some, hardly any; with keys hidden.
template <class Check>
void for_caps(Check&& check) {
  for (const std::int64_t cap : {1, 3, 50}) {
    SCOPED_TRACE(concat("cap ", cap));
    check(with(with(one_head(150, 64, true), "softcap", cap), "kv_seq", std::int64_t{200}));
  }
}

template <class Launcher>
void expect_the_same_bits(const Params& changes) {
  const AttentionProblem p = parsed(changes);
  Tensors inputs = support::make_inputs(support::find_op("attention"), p, 1);
  const Tensors first = launched<Launcher>(p, inputs, 1);
  for (const std::uint64_t seed : {2, 3, 4}) {
    const Tensors again = launched<Launcher>(p, inputs, seed);
    EXPECT_EQ(std::memcmp(first["out"].data(), again["out"].data(), static_cast<std::size_t>(first["out"].bytes())), 0) << seed;
  }
}

}  // namespace bench::attention::test
