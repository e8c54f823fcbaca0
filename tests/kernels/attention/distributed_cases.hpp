// SPDX-License-Identifier: Apache-2.0
// What the tests of the distributed attention kernels share: the kernels, problems, and one run of them.
#pragma once

#include <string>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/support/run_case.hpp"

namespace bench::attention {

inline constexpr const char* kDistributed[] = {"ring_cpu", "double_ring_cpu", "allgather_cpu", "pass_q_cpu",
                                               "ulysses_cpu"};

inline const Kernel& distributed(const std::string& name) {
  return support::find_kernel("attention/" + name);
}

struct DistributedSize {
  std::int64_t batch, heads, kv_heads, seq, head_dim;
};

inline AttentionProblem distributed_problem(const DistributedSize& size, DType dtype, bool causal,
                                            Layout layout, std::int64_t ranks) {
  AttentionProblem p;
  p.batch = size.batch;
  p.heads = size.heads;
  p.kv_heads = size.kv_heads;
  p.seq = size.seq;
  p.head_dim = size.head_dim;
  p.dtype = dtype;
  p.causal = causal;
  p.layout = layout;
  p.ranks = ranks;
  return p;
}

inline std::string text_of(const AttentionProblem& p) {
  return concat(bench::to_text(p.dtype), p.causal ? " causal" : " full", " B ", p.batch, " H ", p.heads,
                " Hkv ", p.kv_heads, " L ", p.seq, " D ", p.head_dim, " P ", p.ranks, " ", to_text(p.layout));
}

/// One run on P threads: whole outputs and what each rank sent.
struct DistributedRun {
  Tensors outputs;
  std::vector<std::int64_t> bytes_sent;
  std::int64_t total_bytes() const {
    std::int64_t sum = 0;
    for (const std::int64_t bytes : bytes_sent) sum += bytes;
    return sum;
  }
};

inline DistributedRun run_distributed(const Kernel& kernel, const AttentionProblem& p,
                                      const Tensors& inputs) {
  const auto links = comm::make_thread_links(static_cast<int>(p.ranks));
  DistributedRun run{support::run_kernel(kernel, support::find_op("attention"), p, inputs, links), {}};
  for (const auto& link : links) run.bytes_sent.push_back(link->bytes_sent());
  return run;
}

}  // namespace bench::attention
