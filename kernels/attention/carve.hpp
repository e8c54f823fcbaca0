// SPDX-License-Identifier: Apache-2.0
// Cuts a kernel's workspace into aligned arrays. The same function that cuts it in run also measures it in
// workspace_bytes, by carving from nothing, so the two cannot disagree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "src/core/error.hpp"

namespace bench::attention {

/// Equal pieces of a workspace, one a thread.
struct Slices {
  std::byte* begin = nullptr;
  std::size_t bytes_each = 0;

  std::span<std::byte> operator[](int thread) const {
    return {begin + static_cast<std::size_t>(thread) * bytes_each, bytes_each};
  }
};

class Carver {
 public:
  /// Measures only: take returns null pointers.
  Carver() = default;
  explicit Carver(std::span<std::byte> memory) : memory_(memory), measuring_(false) {}

  /// The next `count` elements, 64-byte aligned. Throws Error(internal) when the memory ends.
  template <class T>
  T* take(std::int64_t count) {
    const std::size_t begin = used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    if (measuring_) return nullptr;
    BS_REQUIRE(used_ <= memory_.size(), "workspace of ", memory_.size(), " bytes is too small");
    return reinterpret_cast<T*>(memory_.data() + begin);
  }
  /// `count` pieces, each as large as what `piece` used.
  Slices take_slices(std::int64_t count, const Carver& piece) {
    return {take<std::byte>(count * piece.used_bytes()), piece.used_};
  }
  std::int64_t used_bytes() const { return static_cast<std::int64_t>(used_); }

 private:
  std::span<std::byte> memory_;
  std::size_t used_ = 0;
  bool measuring_ = true;
};

}  // namespace bench::attention
