// SPDX-License-Identifier: Apache-2.0
// posts_cpu: the operation made of point-to-point messages, the same ones over every link.
//
// y = the operation of x; x (P, in), y (P, out) or, where all ranks have the same, (out): collective.hpp. Host memory, one thread a rank.
//
// Algorithm: src/core/by_posts.hpp has the table: a ring of sums, then of results (Patarasuk & Yuan 2009) for a long allreduce, pairwise exchanges
// for reduce_scatter and alltoall, Bruck et al. 1997 for short allgathers; short ones trade bytes for rounds.
//
// Work: P - 1 additions an element of a sum. Bytes sent: the least for long arrays, as in the table for short ones.
//
// Error against fp64: none; the data are chosen so that every order of a sum is exact. The order is fixed all the same.
//
// Right choice: to see what a library's collective adds over plain messages. Wrong: 16-bit sums of long arrays, which are added number by number.
#include "kernels/collective/collective.hpp"
#include "kernels/kernel.hpp"
#include "src/core/by_posts.hpp"

namespace bench::collective {
namespace {

std::string supports(const Problem& problem) {
  if (problem_as<CollectiveProblem>(problem).operation == Operation::sendrecv)
    return "a sendrecv is one post over every link: collective/link_cpu is it";
  return too_short(problem);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<CollectiveProblem>(problem);
  const auto in = input_of(tensors);
  const auto out = output_of(tensors);
  switch (p.operation) {
    case Operation::allreduce: return by_posts::allreduce(*context.link, p.dtype, in, out);
    case Operation::allgather: return by_posts::allgather(*context.link, in, out);
    case Operation::reduce_scatter: return by_posts::reduce_scatter(*context.link, p.dtype, in, out);
    case Operation::alltoall: return by_posts::alltoall(*context.link, in, out);
    case Operation::sendrecv: break;  // declined
  }
}

const Registrar<Kernel> registrar{{
    .name = "collective/posts_cpu",
    .op = "collective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "made of point-to-point messages: rings, pairwise exchanges and Bruck's rounds",
    .supports = supports,
    .run = run,
}};

}  // namespace
}  // namespace bench::collective
