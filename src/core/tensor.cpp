// SPDX-License-Identifier: Apache-2.0
#include "src/core/tensor.hpp"

#include <new>

namespace bench {
namespace {

constexpr std::align_val_t kAlignment{64};  // one cache line, and one AVX-512 register

}  // namespace

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    BS_REQUIRE(extent >= 0, "an extent is negative: ", extent);
    BS_REQUIRE(!__builtin_mul_overflow(count, extent, &count), "a tensor's element count overflows 63 bits");
  }
  return count;
}

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)), count_(element_count(shape_)) {
  const auto size = static_cast<std::size_t>(count_ * size_of(dtype));
  memory_.reset(static_cast<std::byte*>(::operator new[](size == 0 ? 1 : size, kAlignment)));
}

void Tensor::Free::operator()(std::byte* p) const { ::operator delete[](p, kAlignment); }

double Tensor::at(std::int64_t i) const {
  return dispatch(dtype_, [&]<class T>() -> double { return load(as<T>()[i]); });
}

void Tensor::set(std::int64_t i, double value) {
  dispatch(dtype_, [&]<class T>() { as<T>()[i] = store<T>(value); });
}

Tensor& Tensors::add(std::string name, Tensor tensor) {
  BS_REQUIRE(!has(name), "tensor '", name, "' is there already");
  return items_.emplace_back(std::move(name), std::move(tensor)).second;
}

bool Tensors::has(std::string_view name) const {
  for (const auto& item : items_)
    if (item.first == name) return true;
  return false;
}

const Tensor& Tensors::operator[](std::string_view name) const {
  for (const auto& item : items_)
    if (item.first == name) return item.second;
  throw Error(ErrorKind::internal, concat("there is no tensor '", name, "'"));
}

Tensor& Tensors::operator[](std::string_view name) {
  return const_cast<Tensor&>(static_cast<const Tensors&>(*this)[name]);
}

std::int64_t Tensors::bytes() const {
  std::int64_t sum = 0;
  for (const auto& item : items_) sum += item.second.bytes();
  return sum;
}

}  // namespace bench
