// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/cold_cache.hpp"

#include <algorithm>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench::jobs {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kLargest = std::size_t{256} << 20;  // a server's shared level can be larger than what is worth reading per sample

#if defined(__x86_64__)
constexpr std::string_view kMethod = "read+clflush";

void drop(std::span<const std::byte> data) {
  const auto first = reinterpret_cast<std::uintptr_t>(data.data()) / kLine * kLine;
  const auto last = reinterpret_cast<std::uintptr_t>(data.data()) + data.size();
  for (auto at = first; at < last; at += kLine) _mm_clflush(reinterpret_cast<const void*>(at));
}
void settle() { _mm_mfence(); }
#else
constexpr std::string_view kMethod = "read";

void drop(std::span<const std::byte>) {}
void settle() {}
#endif

}  // namespace

ColdCache::ColdCache(std::size_t cache_bytes) : buffer_(std::min(2 * cache_bytes, kLargest) / sizeof(double), 1.0) {}

void ColdCache::evict(std::span<const std::span<const std::byte>> data) {
  for (std::size_t i = 0; i < buffer_.size(); i += kLine / sizeof(double)) sum_ += *static_cast<volatile double*>(&buffer_[i]);
  for (const auto& part : data) drop(part);
  settle();
}

std::string_view ColdCache::method() { return kMethod; }

}  // namespace bench::jobs
