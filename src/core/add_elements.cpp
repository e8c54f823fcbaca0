// SPDX-License-Identifier: Apache-2.0
#include "src/core/add_elements.hpp"

namespace bench {

void add_elements(DType dtype, std::span<const std::byte> from, std::span<std::byte> into) {
  const auto size = static_cast<std::size_t>(size_of(dtype));
  BS_REQUIRE(from.size() == into.size() && from.size() % size == 0, "a sum of ", from.size(), " and ", into.size(), " bytes of ", to_text(dtype));
  dispatch(dtype, [&]<class T>() {
    const T* added = reinterpret_cast<const T*>(from.data());
    T* sum = reinterpret_cast<T*>(into.data());
    const std::size_t count = from.size() / size;
    for (std::size_t i = 0; i < count; ++i) sum[i] = store<T>(load(added[i]) + load(sum[i]));
  });
}

}  // namespace bench
