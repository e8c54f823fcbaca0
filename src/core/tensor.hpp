// SPDX-License-Identifier: Apache-2.0
// Dense row-major tensors: what a tensor is (TensorSpec), memory that owns one (Tensor), a typed window onto one (View), and a
// named set of them (Tensors), which is all that a kernel ever sees of its data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "src/core/dtype.hpp"

namespace bench {

using Shape = std::vector<std::int64_t>;

/// Number of elements; 1 for a scalar's empty shape. Throws when an extent is negative or the product overflows.
std::int64_t element_count(const Shape& shape);

/// How the harness fills an input, by counter-based generator, so that every rank and every implementation sees the same values.
enum class Fill : std::uint8_t {
  normal,       // N(0, 1)
  uniform,      // U(low, high)
  log_uniform,  // exp(U(ln low, ln high))
  whole,        // low, low + 1, ..., high: sums of few are exact
};

/// What a tensor is, without its memory. Extents are those of the whole (unsharded) problem.
struct TensorSpec {
  std::string name;         // as in the op's problem: q k v o lse, u delta A B C z out, ...
  DType dtype = DType::f32;
  Shape shape;              // row-major, last extent fastest
  int sequence_axis = -1;   // the axis that a distributed kernel cuts over ranks; -1: replicated on every rank
  Fill fill = Fill::normal;
  double low = 0.0, high = 1.0;  // for the uniform fills; of an output, low = -infinity: that is an answer too (the logarithm of an empty sum)
};

inline TensorSpec make_spec(std::string name, DType dtype, Shape shape, int sequence_axis) {
  TensorSpec spec;
  spec.name = std::move(name);
  spec.dtype = dtype;
  spec.shape = std::move(shape);
  spec.sequence_axis = sequence_axis;
  return spec;
}

/// Owns 64-byte aligned, uninitialised memory for one tensor. Move-only.
class Tensor {
 public:
  Tensor() = default;
  /// Allocates; throws std::bad_alloc when memory is short. Pages are touched by whoever fills it first.
  Tensor(DType dtype, Shape shape);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::int64_t count() const { return count_; }
  std::int64_t bytes() const { return count_ * size_of(dtype_); }
  std::byte* data() { return memory_.get(); }
  const std::byte* data() const { return memory_.get(); }
  template <class T>
  T* as() {
    return reinterpret_cast<T*>(memory_.get());
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(memory_.get());
  }
  /// Element i in row-major order, widened to fp64.
  double at(std::int64_t i) const;
  /// Stores a value rounded to the tensor's element type.
  void set(std::int64_t i, double value);

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  DType dtype_ = DType::f32;
  Shape shape_;
  std::int64_t count_ = 0;
  std::unique_ptr<std::byte[], Free> memory_;
};

/// A typed window of rank R onto a contiguous row-major tensor; indexing is 64-bit and unchecked.
template <class T, int R>
struct View {
  T* data = nullptr;
  std::array<std::int64_t, R> extent{};

  template <class... I>
    requires(sizeof...(I) == R)
  T& operator()(I... index) const {
    const std::array<std::int64_t, R> at{static_cast<std::int64_t>(index)...};
    std::int64_t offset = 0;
    for (int r = 0; r < R; ++r) offset = offset * extent[static_cast<std::size_t>(r)] + at[static_cast<std::size_t>(r)];
    return data[offset];
  }
};

/// Tensors by name, in the order they were added. Small: look-ups are linear.
class Tensors {
 public:
  Tensor& add(std::string name, Tensor tensor);
  bool has(std::string_view name) const;
  /// Throws Error(internal) naming the tensor when it is absent.
  Tensor& operator[](std::string_view name);
  const Tensor& operator[](std::string_view name) const;
  const std::vector<std::pair<std::string, Tensor>>& all() const { return items_; }
  std::vector<std::pair<std::string, Tensor>>& all() { return items_; }
  std::int64_t bytes() const;

 private:
  std::vector<std::pair<std::string, Tensor>> items_;
};

/// The window of rank R onto tensor `name` (const T for inputs); throws when the rank or element size differs.
template <class T, int R>
View<T, R> view(Tensor& tensor) {
  BS_REQUIRE(tensor.shape().size() == R && size_of(tensor.dtype()) == sizeof(T), "view: wrong rank or element size");
  View<T, R> v{tensor.as<T>(), {}};
  for (std::size_t r = 0; r < R; ++r) v.extent[r] = tensor.shape()[r];
  return v;
}
template <class T, int R>
View<const T, R> view(const Tensor& tensor) {
  const auto v = view<T, R>(const_cast<Tensor&>(tensor));
  return {v.data, v.extent};
}

}  // namespace bench
