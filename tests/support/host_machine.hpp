// SPDX-License-Identifier: Apache-2.0
// The machine of kernels/cuda/machine.cuh on the host: runs a block of a tensor-core kernel's body thread by thread, so that its layouts,
// masks and order are tested with no device. It is none to time anything by.
//
// Every thread of a block is a coroutine with a stack of its own. Warps run ahead of each other as far as sync() lets them, and threads take
// turns in an order that is drawn, so that a missing sync() shows. An asynchronous copy happens when it is waited for, not before: a missing wait() shows, too. What the instructions do is
// written down from the PTX ISA (ldmatrix, mma.m16n8k16), not from the kernels.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iterator>
#include <type_traits>

#include "src/core/dtype.hpp"

namespace bench::support {

/// Runs `body` on so many blocks of so many threads, one block after the other, each with so many bytes of shared memory, filled with NaN. The order of
/// turns comes from `seed`. Throws Error(internal) when threads wait for each other for ever (a collective that not all of them reach).
void run_blocks(int blocks, int threads, std::int64_t shared_bytes, std::uint64_t seed, const std::function<void()>& body);
/// The same with so many blocks at a time, as on a device: each runs ahead of the others as it comes, and they wait for each other by counters.
void run_blocks_together(int together, int blocks, int threads, std::int64_t shared_bytes, std::uint64_t seed, const std::function<void()>& body);

namespace host_machine {
int thread();
int block();
int blocks();
void sync();
float* shared_floats();
std::uint8_t* shared_place(std::uint32_t at);
void store_word(std::uint32_t at, std::uint32_t word);
std::uint32_t load_word(std::uint32_t at);
void await_turn(const int* turn, int value);
void publish16(void* to, const std::uint32_t* words);
void await_published(std::uint32_t* got, int count, const void* from, std::uint32_t tag);
void copy16(std::uint32_t to, const void* from, bool valid);
void commit();
void wait(int pending);
/// Of matrix i the row r that lane 8 i + r names, element by element: rows[i][r][column].
struct Matrices {
  std::uint16_t rows[4][8][8];
};
Matrices exchange_rows(std::uint32_t at);
/// What every lane of the warp has in so many words.
struct WarpWords {
  std::uint32_t of[32][10];
};
WarpWords exchange_words(const std::uint32_t* words, int count);
}  // namespace host_machine

struct HostMachine {
  static int thread() { return host_machine::thread(); }
  static int block() { return host_machine::block(); }
  static void sync() { host_machine::sync(); }
  /// Any place but 0, where an address that was never set would go unnoticed.
  static std::uint32_t shared() { return 1024; }

  static float* shared_floats() { return host_machine::shared_floats(); }
  static std::uint8_t* shared_place(std::uint32_t at) { return host_machine::shared_place(at); }

  struct Words {
    std::uint32_t word[4];
  };
  static Words load16(const void* from) {
    BS_REQUIRE(reinterpret_cast<std::uintptr_t>(from) % 16 == 0, "16 bytes are read from an address that is no multiple of 16");
    Words words;
    std::memcpy(&words, from, sizeof words);
    return words;
  }

  static void store16(void* to, const Words& words) {
    BS_REQUIRE(reinterpret_cast<std::uintptr_t>(to) % 16 == 0, "16 bytes are written to an address that is no multiple of 16");
    std::memcpy(to, &words, sizeof words);
  }

  static void copy16(std::uint32_t to, const void* from, bool valid) { host_machine::copy16(to, from, valid); }
  static void commit() { host_machine::commit(); }
  template <int kPending>
  static void wait() {
    host_machine::wait(kPending);
  }

  static void load_matrix(std::uint32_t (&out)[4], std::uint32_t at) {
    const auto m = host_machine::exchange_rows(at);
    const int row = thread() % 32 / 4, column = thread() % 4 * 2;
    for (int i = 0; i < 4; ++i) out[i] = pair(m.rows[i][row][column], m.rows[i][row][column + 1]);
  }
  static void load_matrix_transposed(std::uint32_t (&out)[4], std::uint32_t at) {
    const auto m = host_machine::exchange_rows(at);
    const int column = thread() % 32 / 4, row = thread() % 4 * 2;
    for (int i = 0; i < 4; ++i) out[i] = pair(m.rows[i][row][column], m.rows[i][row + 1][column]);
  }

  template <class T>
  static void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
    const std::uint32_t mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
    const auto all = host_machine::exchange_words(mine, 6);
    const int row = thread() % 32 / 4, column = thread() % 4 * 2;
    for (int i = 0; i < 4; ++i) {
      double sum = c[i];
      for (int k = 0; k < 16; ++k) sum += a_element<T>(all, row + i / 2 * 8, k) * b_element<T>(all, k, column + i % 2);
      c[i] = static_cast<float>(sum);
    }
  }

  template <class T>
  static std::uint32_t pack(float low, float high) {
    return pair(store<T>(low).bits, store<T>(high).bits);
  }
  template <class T>
  static T round(float x) {
    return store<T>(x);
  }
  template <class T>
  static std::uint32_t multiply_add_pairs(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    const auto half = [&](int which) { return store<T>(half_of<T>(a, which) * half_of<T>(b, which) + half_of<T>(c, which)).bits; };
    return pair(half(0), half(1));
  }
  template <class Int>
  static Int fresh(Int x) {
    return x;
  }
  static float number(std::uint32_t word) { return std::bit_cast<float>(word); }
  static std::uint32_t word_of(float x) { return std::bit_cast<std::uint32_t>(x); }
  template <class T>
  static float low(std::uint32_t word) {
    return to_float(T{static_cast<std::uint16_t>(word)});
  }
  template <class T>
  static float high(std::uint32_t word) {
    return to_float(T{static_cast<std::uint16_t>(word >> 16)});
  }
  static void store_word(std::uint32_t at, std::uint32_t word) { host_machine::store_word(at, word); }
  static std::uint32_t load_word(std::uint32_t at) { return host_machine::load_word(at); }
  static Words load_words(std::uint32_t at) {
    BS_REQUIRE(at % 16 == 0, "16 bytes of shared memory are read from an address that is no multiple of 16");
    return {{load_word(at), load_word(at + 4), load_word(at + 8), load_word(at + 12)}};
  }

  static constexpr int kAddWidth = 4;
  static void add(float* to, const float* x) {
    for (int i = 0; i < kAddWidth; ++i) to[i] += x[i];
  }
  static void add_one(float* to, float x) { *to += x; }
  static int take_ticket(int* counter) { return (*counter)++; }
  static void await_turn(const int* turn, int value) { host_machine::await_turn(turn, value); }
  static void end_turn(int* turn) { ++*turn; }
  static bool last_to_arrive(std::uint32_t* counter, int count) {
    *counter = *counter + 1 == static_cast<std::uint32_t>(count) ? 0 : *counter + 1;
    return *counter == 0;
  }

  static std::uint64_t take_ticket(std::uint64_t* counter) { return (*counter)++; }
  /// The two words of 64 bits one after the other, either first; others run in between.
  static void publish16(void* to, const Words& words) { host_machine::publish16(to, words.word); }
  template <int kCount>
  static void await16(Words (&got)[kCount], const void* from, std::uint32_t tag) {
    host_machine::await_published(got[0].word, kCount, from, tag);
  }

  static bool any(bool x) {
    const std::uint32_t word = x ? 1 : 0;
    const auto all = host_machine::exchange_words(&word, 1);
    return std::any_of(std::begin(all.of), std::end(all.of), [](const auto& of) { return of[0] != 0; });
  }
  static float shuffle(float x, int lane) {
    const auto word = std::bit_cast<std::uint32_t>(x);
    return std::bit_cast<float>(host_machine::exchange_words(&word, 1).of[lane][0]);
  }
  static float shuffle_xor(float x, int lanes) { return shuffle(x, (thread() % 32) ^ lanes); }
  static float exp2(float x) { return std::exp2(x); }
  static float reciprocal(float x) { return 1.0F / x; }
  static float log(float x) { return std::log(x); }

 protected:
  static std::uint32_t pair(std::uint16_t low, std::uint16_t high) { return static_cast<std::uint32_t>(high) << 16 | low; }
  template <class T>
  static double half_of(std::uint32_t word, int which) {
    return to_float(T{static_cast<std::uint16_t>(which == 0 ? word : word >> 16)});
  }
  /// Row r, column k of the 16 x 16 operand: register (r / 8) + 2 (k / 8) of lane 4 (r mod 8) + (k mod 8) / 2.
  template <class T>
  static double a_element(const host_machine::WarpWords& all, int r, int k) {
    return half_of<T>(all.of[r % 8 * 4 + k % 8 / 2][r / 8 + k / 8 * 2], k % 2);
  }
  /// Row k, column n of the 16 x 8 operand: register k / 8 of lane 4 n + (k mod 8) / 2.
  template <class T>
  static double b_element(const host_machine::WarpWords& all, int k, int n) {
    return half_of<T>(all.of[n * 4 + k % 8 / 2][4 + k / 8], k % 2);
  }
};

}  // namespace bench::support
