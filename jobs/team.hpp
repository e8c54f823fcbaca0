// SPDX-License-Identifier: Apache-2.0
// The ranks that share a visit, and what they have to agree on. Built on a Link alone, so that the harness runs the same over threads
// in a test and over MPI on a cluster. Every call is collective over the link.
#pragma once

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "src/core/link.hpp"

namespace bench::jobs {

/// Every rank's value, in rank order, on every rank.
template <class T>
  requires std::is_trivially_copyable_v<T>
std::vector<T> all_of(Link& link, const T& mine) {
  std::vector<T> all(static_cast<std::size_t>(link.size()));
  link.allgather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  return all;
}

/// Rank 0's value on every rank: decisions that end or extend a loop are taken by one rank and told to the others.
template <class T>
  requires std::is_trivially_copyable_v<T>
T from_root(Link& link, const T& mine) {
  return all_of(link, mine).front();
}

/// True when it is true on every rank.
inline bool everyone(Link& link, bool mine) {
  for (const unsigned char vote : all_of(link, static_cast<unsigned char>(mine ? 1 : 0)))
    if (vote == 0) return false;
  return true;
}

/// The words of the lowest rank that has some, on every rank; at most 511 bytes of them.
struct Words {
  int rank = 0;
  std::string text;  // empty: nobody has any
};
inline Words first_words(Link& link, const std::string& mine) {
  std::array<char, 512> text{};
  mine.copy(text.data(), text.size() - 1);
  const auto all = all_of(link, text);
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if (all[rank][0] != '\0') return {static_cast<int>(rank), all[rank].data()};
  return {};
}

/// Every rank's `mine` (equal lengths), concatenated in rank order.
template <class T>
  requires std::is_trivially_copyable_v<T>
std::vector<T> gather_all(Link& link, const std::vector<T>& mine) {
  std::vector<T> all(mine.size() * static_cast<std::size_t>(link.size()));
  link.allgather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
  return all;
}

}  // namespace bench::jobs
