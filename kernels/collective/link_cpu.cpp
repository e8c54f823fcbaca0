// SPDX-License-Identifier: Apache-2.0
// link_cpu: the operation as one call of the link, whatever is behind it.
//
// y = the operation of x; x (P, in), y (P, out) or, where all ranks have the same, (out): collective.hpp. Host memory, one thread a rank.
//
// Algorithm: the transport's. Over mpi the library's nonblocking collective, polled to its end (MPI_Iallreduce, MPI_Iallgather,
// MPI_Ireduce_scatter_block, MPI_Ialltoall), since a visit must be able to give up a wait: a library may have better algorithms for its blocking
// calls. 16-bit sums are added by our function, as MPI has no such types. Over mpi-shm, which has none of its own, what posts_cpu does; an exchange
// of one pair (sendrecv) is a post over every link.
//
// Work: P - 1 additions an element of a sum. Bytes: docs/metrics.md. `wire_bytes` over mpi is what has to be sent, as nobody says what was.
//
// Error against fp64: none; the data are chosen so that every order of a sum is exact.
//
// Right choice: to know what the transport gives. Wrong: to compare algorithms over one transport, for which posts_cpu stands beside it.
#include "kernels/collective/collective.hpp"
#include "kernels/kernel.hpp"

namespace bench::collective {
namespace {

void run(const Problem& problem, Tensors& tensors, Context& context) {
  link_call(*context.link, problem_as<CollectiveProblem>(problem), input_of(tensors), output_of(tensors));
}

const Registrar<Kernel> registrar{{
    .name = "collective/link_cpu",
    .op = "collective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "one call of the link: the MPI library's own nonblocking collective, or copies through shared memory",
    .supports = too_short,
    .run = run,
}};

}  // namespace
}  // namespace bench::collective
