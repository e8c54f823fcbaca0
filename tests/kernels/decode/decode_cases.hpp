// SPDX-License-Identifier: Apache-2.0
// What the tests of the decode op share: problems, kernels, and runs that are held against the oracle.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/decode/decode.hpp"
#include "kernels/decode/token_block.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"

namespace bench::decode {

struct Size {
  std::int64_t batch, heads, kv_heads, seq, head_dim, page;
  Lengths lengths = Lengths::equal;
  std::int64_t threads = 1;
};

inline const Op& decode_op() {
  return support::find_op("decode");
}

inline DecodeProblem problem_of(const Size& size, DType dtype) {
  DecodeProblem p;
  p.batch = size.batch;
  p.heads = size.heads;
  p.kv_heads = size.kv_heads;
  p.seq = size.seq;
  p.head_dim = size.head_dim;
  p.page = size.page;
  p.lengths = size.lengths;
  p.threads = size.threads;
  p.dtype = dtype;
  return p;
}

inline std::string text_of(const DecodeProblem& p) {
  return concat(bench::to_text(p.dtype), " B ", p.batch, " H ", p.heads, " Hkv ", p.kv_heads, " L ", p.seq,
                " ", to_text(p.lengths), " D ", p.head_dim, " page ", p.page, " threads ", p.threads);
}

inline std::vector<const Kernel*> decode_kernels(Backend backend) {
  std::vector<const Kernel*> kernels;
  for (const Kernel* kernel : Registry<Kernel>::instance().all())
    if (kernel->op == "decode" && kernel->backend == backend) kernels.push_back(kernel);
  return kernels;
}

inline Tensors run(const Kernel& kernel, const DecodeProblem& p, const Tensors& inputs) {
  return support::run_kernel(kernel, decode_op(), p, inputs, comm::make_thread_links(1));
}

/// `more`: what the values add to the op's tolerance, in eps of the accumulator.
inline void expect_like(const Kernel& kernel, const DecodeProblem& p, const Tensors& reference,
                        const Tensors& outputs, double more = 0.0) {
  const double extra = more * epsilon_of(accumulator_of(p.dtype));
  for (const auto& e : support::compare_to(kernel, decode_op(), p, reference, outputs))
    EXPECT_LE(e.error, e.tolerance + extra) << kernel.name << " " << text_of(p) << ": " << e.text();
}

inline void expect_same_bits(const Tensors& a, const Tensors& b) {
  for (const char* name : {"out", "lse"})
    ASSERT_EQ(std::memcmp(a[name].data(), b[name].data(), static_cast<std::size_t>(a[name].bytes())), 0)
        << name;
}

/// Rows of one sequence among those of all.
inline Tensors rows_of(const Tensors& outputs, std::int64_t sequence) {
  Tensors mine;
  const std::int64_t at[] = {sequence};
  for (const char* name : {"out", "lse"}) mine.add(name, support::take(outputs[name], 0, at));
  return mine;
}

/// Runs `check` with every instruction set of this machine in turn.
template <class Check>
void for_each_engine(Check&& check) {
  for (const BlockEngine& engine : block_engines()) {
    SCOPED_TRACE(concat("instruction set ", static_cast<int>(engine.isa)));
    force_block_engine(&engine);
    check();
  }
  force_block_engine(nullptr);
}

/// Calls visit(element index) for all elements of a pool that belong to no token of a sequence.
template <class Visit>
void for_each_unused(const DecodeProblem& p, Visit&& visit) {
  const auto table = block_table(p);
  const auto lengths = sequence_lengths(p);
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t t = lengths[static_cast<std::size_t>(b)]; t < p.pages_each() * p.page; ++t) {
      const std::int64_t page = table[static_cast<std::size_t>(b * p.pages_each() + t / p.page)];
      for (std::int64_t i = 0; i < p.row(); ++i) visit((page * p.page + t % p.page) * p.row() + i);
    }
}

/// A sequence of a problem as a problem of its own, in a pool of its own.
struct Alone {
  DecodeProblem p;
  Tensors inputs;
};
inline Alone alone(const DecodeProblem& together, const Tensors& inputs, std::int64_t sequence) {
  Alone one{together, {}};
  one.p.batch = 1;
  one.p.lengths = Lengths::equal;
  one.p.seq = sequence_lengths(together)[static_cast<std::size_t>(sequence)];
  const std::int64_t at[] = {sequence};
  one.inputs.add("q", support::take(inputs["q"], 0, at));
  const auto from = block_table(together), to = block_table(one.p);
  const std::int64_t token_bytes = together.row() * size_of(together.dtype);
  const auto place = [&](const std::vector<std::int32_t>& table, std::int64_t first_page, std::int64_t token) {
    return (table[static_cast<std::size_t>(first_page + token / together.page)] * together.page + token % together.page) * token_bytes;
  };
  for (const char* name : {"k_cache", "v_cache"}) {
    Tensor& pool = one.inputs.add(name, Tensor(one.p.dtype, {one.p.pages(), one.p.page, one.p.kv_heads, one.p.head_dim}));
    for (std::int64_t token = 0; token < one.p.seq; ++token)
      std::memcpy(pool.data() + place(to, 0, token),
                  inputs[name].data() + place(from, sequence * together.pages_each(), token), static_cast<std::size_t>(token_bytes));
  }
  return one;
}

}  // namespace bench::decode
