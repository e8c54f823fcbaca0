// SPDX-License-Identifier: Apache-2.0
#include "kernels/linear/packets.hpp"

#include <algorithm>

#include "kernels/rounding.hpp"

namespace bench::linear {
namespace {

void pack_row(const Quantised& q, std::int64_t row, CodePackets& to) {
  const int bits = static_cast<int>(q.recipe.bits), inputs = packet_inputs(bits);
  const std::int64_t packets = row / kPacketRows * to.chunks;
  const std::uint32_t mask = bits == 4 ? 0xfU : 0xffU;
  for (std::int64_t k = 0; k < q.k; ++k) {
    const CodePlace place = code_place(bits, static_cast<int>(row % kPacketRows), static_cast<int>(k % inputs));
    const int code = q.codes[static_cast<std::size_t>(row * q.k + k)] + (bits == 4 ? 8 : 0);
    std::uint32_t& word = to.words[static_cast<std::size_t>((packets + k / inputs) * kPacketWords + place.word)];
    word = (word & ~(mask << place.bit)) | (static_cast<std::uint32_t>(code) & mask) << place.bit;
  }
}

template <class T>
void pack_scales(const Quantised& q, CodePackets& to) {
  const bool zeros = q.recipe.bits == 4;
  to.scales.assign(static_cast<std::size_t>(to.tiles * kPacketRows * to.groups * (zeros ? 2 : 1)) * sizeof(T), std::byte{0});
  T* const scales = reinterpret_cast<T*>(to.scales.data());
  for (std::int64_t row = 0; row < q.n; ++row)
    for (std::int64_t g = 0; g < q.groups(); ++g) {
      const auto from = static_cast<std::size_t>(row * q.groups() + g);
      if (!zeros) {
        scales[row] = store<T>(q.scale[from]);
        continue;
      }
      T* const at = scales + ((row / kPacketRows * to.groups + g) * 8 + row % 8) * 4 + row % kPacketRows / 8 * 2;
      at[0] = store<T>(q.scale[from]);
      at[1] = store<T>(q.zero[from]);
    }
}

}  // namespace

CodePackets pack_codes(const Quantised& q, DType dtype, std::int64_t threads) {
  const std::int64_t inputs = packet_inputs(static_cast<int>(q.recipe.bits));
  CodePackets to;
  to.tiles = ceil_div(q.n, kPacketRows);
  to.chunks = ceil_div(q.k, inputs);
  to.groups = q.recipe.groups(to.chunks * inputs);
  to.words.assign(static_cast<std::size_t>(to.tiles * to.chunks * kPacketWords), q.recipe.bits == 4 ? 0x88888888U : 0U);
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(threads))
  for (std::int64_t tile = 0; tile < to.tiles; ++tile)
    for (std::int64_t row = tile * kPacketRows; row < std::min(q.n, (tile + 1) * kPacketRows); ++row) pack_row(q, row, to);
  if (dtype == DType::f32) pack_scales<float>(q, to);
  if (dtype == DType::bf16) pack_scales<Bf16>(q, to);
  if (dtype == DType::f16) pack_scales<F16>(q, to);
  return to;
}

}  // namespace bench::linear
