// SPDX-License-Identifier: Apache-2.0
// Large tables that are read end to end in large pages: the processor's own look-ahead ends with each page, and a
// walk of the page table begins.
#pragma once

#include <cstdint>

#include "src/core/tensor.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bench {

inline constexpr std::uintptr_t kHugePage = std::uintptr_t{2} << 20;

/// Asks the system to back this memory by large pages, where it lets programs ask ("madvise" or "always" of Linux'
/// transparent huge pages). To be called before the memory is first touched; the values are not changed, and nothing
/// is lost where the system declines.
inline void prefer_huge_pages([[maybe_unused]] Tensor& tensor) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  const auto begin = reinterpret_cast<std::uintptr_t>(tensor.data());
  const std::uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t last = (begin + static_cast<std::uintptr_t>(tensor.bytes())) / kHugePage * kHugePage;
  if (first < last) static_cast<void>(::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE));
#endif
}

}  // namespace bench
