// SPDX-License-Identifier: Apache-2.0
// selective_poly_cuda: selective_cuda with one in eight exponentials computed on the FMA pipes.
//
// u delta z (B, L, C), B C (B, L, G, N), A (C, N), D delta_bias (C), h0 (B, C, N) -> out (B, L, C) in fp32, bf16 or fp16, h_last (B, C, N) in fp32.
// Algorithm and lanes as selective_cuda's (selective_walk.hpp); the polynomial: selective_poly.hpp.
//
// The share, on sm_80 and sm_90: of a scheduler's cycles a warp's exponential takes the special function unit 8, and a state and step some 5 instructions
// besides; the polynomial is 12 instructions instead of one. A share s leaves the unit 8 (1 - s) cycles and gives the scheduler 6 + 11 s, which meet at a
// tenth; a quarter would already make instructions bind. Work: 1.4 flops more a step and state. Error against fp64: as selective_cuda's.
//
// Right choice: where N is 16 and more, if at all: it is here to be measured against its twin. Preconditions: N <= 256.
#include "kernels/scan/selective_poly.hpp"

#include "kernels/scan/selective_walker.cuh"

namespace bench::scan {
namespace {

constexpr int kOneOf = 8;

struct Bodies {
  template <class T, class Shape>
  using Of = SelectiveWalk<cuda::Machine, T, Shape, Walk::output, SharedExp<cuda::Machine, kOneOf>>;
};
constexpr Walker kSharing = walker_of<Bodies>();

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const bool dense = dense_fills(kSharing, p);
  kSharing.slots(p, dense);
  return std::make_unique<SelectiveOnDevice>(p, tensors, ChunkPlan{1, round_up(p.seq, kStartBits)}, dense);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const SelectiveOnDevice&>(*context.prepared);
  kSharing.launch(problem_as<SelectiveProblem>(problem), on_device.dense(), on_device.job(), context.stream);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_poly_cuda",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "as selective_cuda, one in eight exponentials by a polynomial on the FMA pipes",
    .supports = takes_selective,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
