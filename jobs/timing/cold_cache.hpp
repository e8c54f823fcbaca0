// SPDX-License-Identifier: Apache-2.0
// Makes the caches forget a case's data, so that a call starts from memory.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace bench::jobs {

class ColdCache {
 public:
  /// `cache_bytes`: the last-level cache that a core can fill. A buffer of twice that, at most 256 MiB, is kept for the life of the object.
  explicit ColdCache(std::size_t cache_bytes);

  /// Reads the buffer, so that what lay in the caches is replaced by clean lines (dirty ones would be written back in the timed region),
  /// then drops the lines of `data` by name where the CPU can (clflush), since a shared last level need not be emptied by one core.
  void evict(std::span<const std::span<const std::byte>> data);

  /// "read+clflush" or "read": what evict does here.
  static std::string_view method();

 private:
  std::vector<double> buffer_;
  double sum_ = 0.0;  // keeps the reads alive
};

}  // namespace bench::jobs
