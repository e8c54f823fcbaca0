// SPDX-License-Identifier: Apache-2.0
// The machine of kernels/cuda/hopper_machine.cuh on the host, as host_machine.hpp is that of machine.cuh. Products are computed when they are
// waited for, from what shared memory holds then; boxes arrive in any order, at any time after they were asked for. Where an operand's
// elements lie is worked out from the descriptor's fields by the rules of the PTX ISA (9.7.15.5, canonical layouts with a 128-byte swizzle).
#pragma once

#include <cstdint>

#include "tests/support/host_machine.hpp"

namespace bench::support {

/// A tensor of 16-bit elements (z, y, x), rows of x contiguous, and the box that a copy takes of it: (1, box_y, 64).
struct HostTensorMap {
  const std::uint16_t* base = nullptr;
  std::int64_t x = 0, y = 0, z = 0;
  int box_y = 0;
};

namespace host_machine {
void start_barrier(std::uint32_t barrier, int arrivals);
void arrive(std::uint32_t barrier, int bytes);
void await(std::uint32_t barrier, int parity);
void copy_box(std::uint32_t to, const HostTensorMap& map, std::uint32_t barrier, int x, int y, int z);
void add_product(std::function<void()> product);
void commit_products();
void wait_products(int pending);
/// Element bits of an operand with 16 columns k (row r), and of one with its 16 rows k as they lie (column n).
std::uint16_t element_of_columns(std::uint64_t descriptor, int r, int k);
std::uint16_t element_of_rows(std::uint64_t descriptor, int k, int n);
}  // namespace host_machine

struct HostHopper : HostMachine {
  using TensorMap = HostTensorMap;

  static void start_barrier(std::uint32_t barrier, int arrivals) { host_machine::start_barrier(barrier, arrivals); }
  static void publish_barriers() {}
  static void arrive(std::uint32_t barrier) { host_machine::arrive(barrier, 0); }
  static void arrive_with_bytes(std::uint32_t barrier, int bytes) { host_machine::arrive(barrier, bytes); }
  static void await(std::uint32_t barrier, int parity) { host_machine::await(barrier, parity); }
  static void copy_box(std::uint32_t to, const TensorMap& map, std::uint32_t barrier, int x, int y, int z) { host_machine::copy_box(to, map, barrier, x, y, z); }
  static void prefetch_map(const TensorMap&) {}
  template <int>
  static void take_registers() {}
  template <int>
  static void give_registers() {}
  static void product_fence() {}
  static void commit_products() { host_machine::commit_products(); }
  template <int kPending>
  static void wait_products() {
    host_machine::wait_products(kPending);
  }
  template <int kCount>
  static void pin(float (&)[kCount]) {}

  template <class T, int kCount>
  static void product(float (&c)[kCount], std::uint64_t a, std::uint64_t b, bool add) {
    const int first_row = thread() % 128 / 32 * 16 + thread() % 32 / 4, column = thread() % 4 * 2;
    host_machine::add_product([&c, a, b, add, first_row, column] {
      for (int i = 0; i < kCount; ++i) {
        const int r = first_row + i % 4 / 2 * 8, n = i / 4 * 8 + column + i % 2;
        double sum = add ? c[i] : 0.0;
        for (int k = 0; k < 16; ++k) sum += value<T>(host_machine::element_of_columns(a, r, k)) * value<T>(host_machine::element_of_columns(b, n, k));
        c[i] = static_cast<float>(sum);
      }
    });
  }
  template <class T, int kCount>
  static void product(float (&c)[kCount], const std::uint32_t (&a)[4], std::uint64_t b) {
    const auto all = host_machine::exchange_words(a, 4);
    const int row = thread() % 32 / 4, column = thread() % 4 * 2;
    host_machine::add_product([&c, all, b, row, column] {
      for (int i = 0; i < kCount; ++i) {
        const int n = i / 4 * 8 + column + i % 2;
        double sum = c[i];
        for (int k = 0; k < 16; ++k) sum += a_element<T>(all, row + i % 4 / 2 * 8, k) * value<T>(host_machine::element_of_rows(b, k, n));
        c[i] = static_cast<float>(sum);
      }
    });
  }

 private:
  template <class T>
  static double value(std::uint16_t bits) {
    return to_float(T{bits});
  }
};

}  // namespace bench::support
