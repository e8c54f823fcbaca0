// SPDX-License-Identifier: Apache-2.0
// int4pack_mm_cuda_torch: y = act(norm(x) w^T + bias) on a GPU by LibTorch's _weight_int4pack_mm, its weight-only 4-bit product ("tinygemm").
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp; the form is in linear_torch.hpp. Recipes int4wo-G and int4wo-G-hqq, bf16; w is
// quantised and packed by _convert_weight_to_int4pack in prepare.
//
// Tensors and packed weights are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason.
// What is timed is its operators on the case's stream: norm, product, bias, activation, each of them one, intermediates from the caching allocator.
//
// Algorithm: tiles of 16 rows by 8 outputs on tensor cores, weights widened to bf16 in registers (ATen/native/cuda/int4mm.cu). Packing takes bytes of two codes
// 0..15, the even input's in the upper four bits, and lays out `inner_k_tiles` tiles of 16 inputs together: 8 of them, for loads of 16 bytes, where K
// is a multiple of 128, else 4 or 2. A weight is (code - 8) scale + zero, scales and zeros (K / G, N, 2): ours.
//
// Work and bytes: 2 M N K FLOPs, in whole tiles of 16 rows; N K / 2 bytes of codes and N K / G pairs of scale and zero point.
//
// Error against fp64 with the dequantised weights: fp32 accumulation; dequantised weights are rounded to bf16, y before and after the bias.
//
// Right choice: as the rival of an int4 kernel at few tokens; its tiles do not grow with M. N must be a multiple of 8, K one of 32 and of the group.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_convert_weight_to_int4pack.h>
#include <ATen/ops/_weight_int4pack_mm.h>

#include "kernels/linear/linear_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::linear {
namespace {

struct OnCuda {
  static at::Tensor pack(const at::Tensor& codes, c10::Device device) {
    const at::Tensor bytes = codes.to(at::kByte), pairs = bytes.slice(1, 0, std::nullopt, 2) * 16 + bytes.slice(1, 1, std::nullopt, 2);
    const std::int64_t inputs = codes.size(1), tiles = inputs % 128 == 0 ? 8 : inputs % 64 == 0 ? 4 : 2;
    return at::_convert_weight_to_int4pack(pairs.contiguous().to(device), tiles);
  }
  static at::Tensor product(const at::Tensor& x, const at::Tensor& weights, std::int64_t group, const at::Tensor& scales_and_zeros) {
    return at::_weight_int4pack_mm(x, weights, group, scales_and_zeros);
  }
};

std::string supports(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (p.recipe.bits != 4) return concat("recipe ", to_text(p.recipe), "; this kernel has int4wo-G");
  if (p.n % 8 != 0 || p.k % 32 != 0) return "n is not a multiple of 8, or k not one of 32";
  if (p.k % p.recipe.group != 0) return concat("k is not a multiple of the group ", p.recipe.group);
  return {};
}

const Registrar<Kernel> registrar{{
    .name = "linear/int4pack_mm_cuda_torch",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16},
    .about = "LibTorch _weight_int4pack_mm on the GPU (tinygemm), then the bias",
    .example = {{"recipe", std::string("int4wo-128")}, {"dtype", std::string("bf16")}},
    .supports = supports,
    .prepare = prepare_on_device<PackedInt4<OnCuda>>,
    .run = run_on_device<PackedInt4<OnCuda>>,
}};

}  // namespace
}  // namespace bench::linear
