// SPDX-License-Identifier: Apache-2.0
// selective_bwd_ordered_cuda: selective_bwd_cuda with the same bits in every run, those of dB and dC too.
//
// The forward pass' tensors, dout (B, L, C), dh_last (B, C, N) -> du ddelta dz (B, L, C) in fp32, bf16 or fp16; dB dC (B, L, G, N), dA (C, N), dD
// ddelta_bias (C), dh0 (B, C, N) in fp32. Algorithm: selective_back.hpp; each block of a group's channels leaves its dB and dC in a place of its own, and a
// last launch adds them up in the channels' order.
//
// Work as selective_bwd_cuda's; bytes: besides, 16 N for every step and block of channels (32 of them from 9 to 16 states), half written, half read. Memory:
// 8 B L N C / 32 bytes for 9 to 16 states, twice as much for each doubling of N. Error against fp64 as its twin's.
//
// Right choice: where two runs must agree in every bit. Preconditions: N <= 256.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective_back_device.hpp"
#include "kernels/scan/selective_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) { return prepare_selective_back(Meeting::in_order, problem, tensors); }
void run(const Problem& problem, Tensors&, Context& context) { run_selective_back(problem, context); }

const Registrar<Kernel> registrar{{
    .name = "scan/selective_bwd_ordered_cuda",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "as selective_bwd_cuda, dB and dC added up in the channels' order: the same bits in every run",
    .supports = takes_selective,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
