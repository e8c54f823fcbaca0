// SPDX-License-Identifier: Apache-2.0
// What the tests of readers of other tools' files share: refusals in words, and files damaged at random.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "src/core/error.hpp"

namespace bench::analysis {

/// The words with which `read` refuses; empty when it succeeds. Anything thrown but Error(io) fails the test.
template <class Read>
std::string refusal_of(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::io) << error.what();
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not an Error: " << error.what();
  }
  return {};
}

/// `text` with one to four damages: a byte of another value, a byte more, a stretch less, a stretch twice,
/// the end cut off. Half of the new bytes are characters that JSON gives a meaning to, so that many damaged
/// texts still parse.
inline std::string damaged(std::string text, std::mt19937_64& random) {
  const std::string meaningful = "{}[]\",:-0919.eE+ntfN";
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto byte = [&] {
    return below(2) == 0 ? static_cast<char>(below(256)) : meaningful[below(meaningful.size())];
  };
  for (std::size_t left = 1 + below(4); left > 0 && !text.empty(); --left) {
    const std::size_t at = below(text.size()), length = 1 + below(40);
    switch (below(5)) {
      case 0:
        text[at] = byte();
        break;
      case 1:
        text.insert(at, 1, byte());
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      default:
        if (below(4) == 0) text.resize(at);
    }
  }
  return text;
}

/// Every damaged text is read or refused with Error(io), nothing else; some of either, or the damage tells
/// nothing.
template <class Read>
void expect_read_or_refused(const std::string& good, std::uint64_t seed, Read&& read) {
  constexpr int kTexts = 300;  // enough that every field of a file of a dozen is hit; a second at most
  std::mt19937_64 random(seed);
  int refused = 0;
  for (int i = 0; i < kTexts; ++i) {
    const std::string text = damaged(good, random);
    SCOPED_TRACE(text);
    if (!refusal_of([&] { read(text); }).empty()) ++refused;
  }
  EXPECT_GT(refused, kTexts / 10);
  EXPECT_LT(refused, kTexts);
}

/// `text` with the first `what` replaced.
inline std::string with(std::string text, const std::string& what, const std::string& other) {
  const std::size_t at = text.find(what);
  if (at == text.npos) throw Error(ErrorKind::internal, concat("the fixture has no ", what));
  return text.replace(at, what.size(), other);
}

}  // namespace bench::analysis
