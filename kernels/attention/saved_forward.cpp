// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/saved_forward.hpp"

#include <algorithm>
#include <new>
#include <vector>

namespace bench::attention {
namespace {

AttentionProblem forward_of(AttentionProblem problem) {
  problem.pass = "fwd";
  return problem;
}

/// On any number of ranks where it can be; more than causality is known on one rank only, and capped scores to the plain kernel only.
const Kernel& forward_kernel(const AttentionProblem& problem) {
  for (const char* name : {"attention/ring_cpu", "attention/flash_tiled_cpu", "attention/naive_cpu"}) {
    const Kernel* kernel = Registry<Kernel>::instance().find(name);
    BS_REQUIRE(kernel != nullptr, "the backward pass needs ", name, " for its forward pass");
    if (supports_case(*kernel, forward_of(problem)).empty()) return *kernel;
  }
  throw Error(ErrorKind::internal, "no kernel computes the forward pass that this backward pass needs");
}

/// Tells all ranks whether memory sufficed everywhere, before the first of them waits for another.
void agree(Link& link, bool enough_here) {
  const std::byte mine{static_cast<unsigned char>(enough_here ? 1 : 0)};
  std::vector<std::byte> all(static_cast<std::size_t>(link.size()));
  link.allgather({&mine, 1}, all);
  if (!enough_here) throw std::bad_alloc();
  BS_REQUIRE(std::ranges::count(all, std::byte{0}) == 0, "another rank has no memory for the forward pass");
}

}  // namespace

void save_forward(const AttentionProblem& problem, Tensors& tensors, Context& context) {
  const Kernel& kernel = forward_kernel(problem);
  const AttentionProblem forward = forward_of(problem);
  const std::int64_t rows = tensors["q"].shape()[2];
  Context scratch = context;
  std::unique_ptr<Prepared> prepared;
  bool enough = true;
  try {
    for (const TensorSpec& spec : forward_results(problem)) {
      Shape share = spec.shape;
      share[2] = rows;
      tensors.add(spec.name, Tensor(spec.dtype, share));
    }
    if (kernel.prepare != nullptr) prepared = kernel.prepare(forward, tensors, scratch);
  } catch (const std::bad_alloc&) {
    enough = false;
  }
  agree(*context.link, enough);
  scratch.prepared = prepared.get();
  kernel.run(forward, tensors, scratch);
}

std::int64_t save_forward_workspace_bytes(const AttentionProblem& problem) {
  return forward_kernel(problem).workspace_bytes(forward_of(problem));
}

}  // namespace bench::attention
