// SPDX-License-Identifier: Apache-2.0
#include "src/core/rng.hpp"

#include <cmath>
#include <numbers>

namespace bench {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53U, kMultiplier1 = 0xCD9E8D57U;  // the paper's table 2
constexpr std::uint32_t kWeyl0 = 0x9E3779B9U, kWeyl1 = 0xBB67AE85U;              // golden ratio, sqrt(3) - 1
constexpr int kRounds = 10;

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

double to_unit(std::uint32_t word) { return static_cast<double>(word) * 0x1p-32; }

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t p0 = static_cast<std::uint64_t>(kMultiplier0) * counter[0];
    const std::uint64_t p1 = static_cast<std::uint64_t>(kMultiplier1) * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

CounterRng::CounterRng(std::uint64_t seed, std::string_view name) : seed_(seed), stream_(fnv1a(name)) {}

std::array<std::uint32_t, 4> CounterRng::block(std::uint64_t i) const {
  return philox({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), static_cast<std::uint32_t>(stream_),
                 static_cast<std::uint32_t>(stream_ >> 32)},
                {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
}

double CounterRng::uniform(std::uint64_t i) const { return to_unit(block(i)[0]); }

double CounterRng::normal(std::uint64_t i) const {
  const auto words = block(i);
  const double radius = std::sqrt(-2.0 * std::log(1.0 - to_unit(words[0])));  // 1 - u is in (0, 1]
  return radius * std::cos(2.0 * std::numbers::pi * to_unit(words[1]));
}

}  // namespace bench
