// SPDX-License-Identifier: Apache-2.0
// paged_mma_fixed_cuda: paged_mma_cuda with spans of a fixed number of tokens, whose bits do not depend on a sequence's company.
//
// q (B, H, D), k_cache v_cache (pages, page, Hkv, D), pages wherever they lie -> out (B, H, D) in bf16 or fp16, lse (B, H) in fp32.
// Algorithm: paged_mma_cuda's, but a span has kFixedSpan = 512 tokens (paged_split.hpp), whatever the batch and however many multiprocessors there are.
// So what a row is summed from, and in which order, follows from its sequence's own length: the same bits alone and in any batch ("batch
// invariance", as FlashInfer's fixed_split_size gives).
//
// Bytes and work: paged_mma_cuda's; at 512 tokens a state of D + 1 words is a hundredth of what a span reads. Where it is wrong: few short sequences leave
// multiprocessors idle, and long ones leave more states to merge than the device needs. What that costs is the difference from paged_mma_cuda.
#include "kernels/decode/paged_device.hpp"

namespace bench::decode {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) { return prepare_paged(kReadByTensorCores, Cut::fixed, problem, tensors); }
void run(const Problem& problem, Tensors&, Context& context) { run_paged(kReadByTensorCores, problem, context); }

const Registrar<Kernel> registrar{{
    .name = "decode/paged_mma_fixed_cuda",
    .op = "decode",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "paged_mma_cuda with spans of 512 tokens: a sequence's bits do not depend on its company",
    .supports = takes_pages,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::decode
