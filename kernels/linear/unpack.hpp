// SPDX-License-Identifier: Apache-2.0
// Codes of a packet (packets.hpp) to pairs of 16-bit numbers, exactly, two at a time and with no conversion: a code that is put into the low bits of a power of two's
// mantissa adds itself to it, and the power is taken off again.
//
// The power is 2^7 in bf16 and 2^10 in fp16, so low bits count as ones. int4: p + (code + 8) - (p + 8). int8 has one bit more than bf16's mantissa has room for, but
// in two's complement it is its low seven bits less 128 for the sign, and the sign's bit in place is p + 128 in either type: that is bf16's next exponent.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/function.hpp"
#include "src/core/dtype.hpp"

namespace bench::linear {

/// Two of a number in T.
template <class T>
struct TwoOf {
  static constexpr bool kBf16 = std::is_same_v<T, Bf16>;
  static constexpr std::uint32_t kPower = kBf16 ? 0x43004300U : 0x64006400U;          // 128, 1024
  static constexpr std::uint32_t kOne = kBf16 ? 0x3f803f80U : 0x3c003c00U;
  static constexpr std::uint32_t kMinusOne = kOne | 0x80008000U;
  static constexpr std::uint32_t kMinusPowerAndEight = kPower | 0x80088008U;           // -136, -1032
};

/// The operands of step `step` of a lane's four words.
template <class M, class T, int kBits>
BS_DEVICE void unpack(std::uint32_t (&pairs)[4], const std::uint32_t (&words)[4], int step) {
  using Two = TwoOf<T>;
  BS_UNROLL
  for (int r = 0; r < 4; ++r) {
    if constexpr (kBits == 4) {
      const std::uint32_t raised = (words[step] >> (4 * r) & 0x000f000fU) | Two::kPower;
      pairs[r] = M::template multiply_add_pairs<T>(raised, Two::kOne, Two::kMinusPowerAndEight);
    } else {
      const std::uint32_t both = words[step * 2 + r / 2] >> (8 * (r % 2));
      const std::uint32_t low = (both & 0x007f007fU) | Two::kPower, sign = (both & 0x00800080U) | Two::kPower;
      pairs[r] = M::template multiply_add_pairs<T>(sign, Two::kMinusOne, low);
    }
  }
}

}  // namespace bench::linear
