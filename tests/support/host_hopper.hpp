// SPDX-License-Identifier: Apache-2.0
// The machine of kernels/cuda/hopper_machine.cuh on the host, as host_machine.hpp is that of machine.cuh. Products are computed when they are
// waited for, from what shared memory holds then; what a thread wrote there and did not publish is an error. Boxes arrive in any order, at any time after they
// were asked for, and are stored from what shared memory holds when they are read, at any time before they are waited for. Where an operand's
// elements lie is worked out from the descriptor's fields by the rules of the PTX ISA (9.7.15.5, canonical layouts with a 128-byte swizzle).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "tests/support/host_machine.hpp"

namespace bench::support {

/// A contiguous tensor of 16-bit elements (w, z, y, x) and the box that a copy takes of it: (1, box_z, box_y, 64).
struct HostTensorMap {
  std::uint16_t* base = nullptr;
  std::int64_t x = 0, y = 0, z = 0;
  int box_y = 0;
  std::int64_t w = 1;
  int box_z = 1;
};

namespace host_machine {
void start_barrier(std::uint32_t barrier, int arrivals);
void arrive(std::uint32_t barrier, int bytes);
void await(std::uint32_t barrier, int parity);
void copy_box(std::uint32_t to, const HostTensorMap& map, std::uint32_t barrier, int x, int y, int z, int w = 0);
void copy_bytes(std::uint32_t to, const void* from, int bytes, std::uint32_t barrier);
void add_bytes(float* to, std::uint32_t from, int bytes);
void wait_additions();
void end_additions();
void sync_warp();
void store_floats(std::uint32_t at, const float* x);
void load_floats(float (&x)[4], std::uint32_t at);
void store_box(const HostTensorMap& map, std::uint32_t from, int x, int y, int z);
void commit_stores();
void wait_stores_read();
void publish_writes();
void store_matrix(std::uint32_t to, const std::uint32_t (&in)[4]);
void store_word_for_products(std::uint32_t at, std::uint32_t word);
void meet(int number, int threads);
void signal(int number, int threads);
void add_product(std::function<void()> product);
void commit_products();
void wait_products(int pending);
/// Eight neighbouring elements in 16 bytes: of an operand with 16 columns, columns 8 k.. of row r; of one with its 16 rows as they lie, columns
/// 8 n.. of row k.
using Chunk = std::array<std::uint16_t, 8>;
Chunk chunk_of_columns(std::uint64_t descriptor, int r, int k);
Chunk chunk_of_rows(std::uint64_t descriptor, int k, int n);
}  // namespace host_machine

struct HostHopper : HostMachine {
  using TensorMap = HostTensorMap;

  static void start_barrier(std::uint32_t barrier, int arrivals) { host_machine::start_barrier(barrier, arrivals); }
  static void publish_barriers() {}
  static void arrive(std::uint32_t barrier) { host_machine::arrive(barrier, 0); }
  static void arrive_with_bytes(std::uint32_t barrier, int bytes) { host_machine::arrive(barrier, bytes); }
  static void await(std::uint32_t barrier, int parity) { host_machine::await(barrier, parity); }
  static void copy_box(std::uint32_t to, const TensorMap& map, std::uint32_t barrier, int x, int y, int z) { host_machine::copy_box(to, map, barrier, x, y, z); }
  static void copy_box(std::uint32_t to, const TensorMap& map, std::uint32_t barrier, int x, int y, int z, int w) { host_machine::copy_box(to, map, barrier, x, y, z, w); }
  static void copy_bytes(std::uint32_t to, const void* from, int bytes, std::uint32_t barrier) { host_machine::copy_bytes(to, from, bytes, barrier); }
  static void add_bytes(float* to, std::uint32_t from, int bytes) { host_machine::add_bytes(to, from, bytes); }
  static void wait_additions() { host_machine::wait_additions(); }
  static void end_additions() { host_machine::end_additions(); }
  static void sync_warp() { host_machine::sync_warp(); }
  static void store_floats(std::uint32_t at, const float* x) { host_machine::store_floats(at, x); }
  static void load_floats(float (&x)[4], std::uint32_t at) { host_machine::load_floats(x, at); }
  static void store_box(const TensorMap& map, std::uint32_t from, int x, int y, int z) { host_machine::store_box(map, from, x, y, z); }
  static void commit_stores() { host_machine::commit_stores(); }
  static void wait_stores_read() { host_machine::wait_stores_read(); }
  static void publish_writes() { host_machine::publish_writes(); }
  static void store_matrix(std::uint32_t to, const std::uint32_t (&in)[4]) { host_machine::store_matrix(to, in); }
  static void store_word(std::uint32_t at, std::uint32_t word) { host_machine::store_word_for_products(at, word); }
  static void meet(int number, int threads) { host_machine::meet(number, threads); }
  static void signal(int number, int threads) { host_machine::signal(number, threads); }
  static int blocks() { return host_machine::blocks(); }
  static std::uint32_t count_up(std::uint32_t* counter, std::uint32_t last) {
    const std::uint32_t was = *counter;
    *counter = was >= last ? 0 : was + 1;
    return was;
  }
  static void before_what_follows(float) {}
  static int of_warp(int x) {
    const auto mine = static_cast<std::uint32_t>(x);
    return static_cast<int>(host_machine::exchange_words(&mine, 1).of[0][0]);
  }
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
      const std::array<Row, 2> rows{columns_of<T>(a, first_row), columns_of<T>(a, first_row + 8)};
      for (int i = 0; i < kCount; ++i) {
        if (i % 4 > 1) continue;  // the second row's turn comes with the first one's
        const Row right = columns_of<T>(b, i / 4 * 8 + column + i % 2);
        for (int half = 0; half < 2; ++half) {
          float& to = c[i + half * 2];
          double sum = add ? to : 0.0;
          for (std::size_t k = 0; k < 16; ++k) sum += rows[static_cast<std::size_t>(half)][k] * right[k];
          to = static_cast<float>(sum);
        }
      }
    });
  }
  template <class T, int kCount>
  static void product_transposed(float (&c)[kCount], std::uint64_t a, std::uint64_t b, bool add) {
    const int row = thread() % 128 / 32 * 16 + thread() % 32 / 4, column = thread() % 4 * 2;
    host_machine::add_product([&c, a, b, add, row, column] {
      std::vector<double> sums(c, c + kCount);
      if (!add) std::fill(sums.begin(), sums.end(), 0.0);
      for (int k = 0; k < 16; ++k) {
        const double left[2] = {element_of_rows<T>(a, k, row), element_of_rows<T>(a, k, row + 8)};
        for (int i = 0; i < kCount; ++i) sums[static_cast<std::size_t>(i)] += left[i % 4 / 2] * element_of_rows<T>(b, k, i / 4 * 8 + column + i % 2);
      }
      for (int i = 0; i < kCount; ++i) c[i] = static_cast<float>(sums[static_cast<std::size_t>(i)]);
    });
  }
  template <class T, int kCount>
  static void product(float (&c)[kCount], const std::uint32_t (&a)[4], std::uint64_t b) {
    const auto all = host_machine::exchange_words(a, 4);
    const int row = thread() % 32 / 4, column = thread() % 4 * 2;
    host_machine::add_product([&c, all, b, row, column] {
      std::vector<double> sums(c, c + kCount);
      for (int k = 0; k < 16; ++k) {
        const double left[2] = {a_element<T>(all, row, k), a_element<T>(all, row + 8, k)};
        for (int n = 0; n < kCount / 4; ++n) {
          const host_machine::Chunk right = host_machine::chunk_of_rows(b, k, n);
          for (int i = 0; i < 4; ++i)
            sums[static_cast<std::size_t>(n * 4 + i)] += left[i / 2] * to_float(T{right[static_cast<std::size_t>(column + i % 2)]});
        }
      }
      for (int i = 0; i < kCount; ++i) c[i] = static_cast<float>(sums[static_cast<std::size_t>(i)]);
    });
  }

 private:
  /// Of an operand whose 16 rows lie as they are.
  template <class T>
  static double element_of_rows(std::uint64_t descriptor, int k, int n) {
    return to_float(T{host_machine::chunk_of_rows(descriptor, k, n / 8)[static_cast<std::size_t>(n % 8)]});
  }

  using Row = std::array<double, 16>;
  template <class T>
  static Row columns_of(std::uint64_t descriptor, int r) {
    Row row;
    for (int k = 0; k < 2; ++k) {
      const host_machine::Chunk chunk = host_machine::chunk_of_columns(descriptor, r, k);
      for (std::size_t i = 0; i < 8; ++i) row[static_cast<std::size_t>(k) * 8 + i] = to_float(T{chunk[i]});
    }
    return row;
  }
};

}  // namespace bench::support
