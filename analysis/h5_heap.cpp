// SPDX-License-Identifier: Apache-2.0
#include "analysis/h5_heap.hpp"

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "src/core/error.hpp"

namespace bench::analysis::h5 {
namespace {

constexpr std::string_view kSignature{"GCOL\x01\0\0\0", 8};  // with version and reserved bytes: long enough not to turn up in numbers
constexpr std::uint64_t kHeader = 16;                  // of a heap and of each object: bytes
constexpr std::uint64_t kAlignment = 8;

template <class T>
T number_at(std::span<const char> bytes, std::uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);  // little-endian in the file, as on every machine we run on
  return value;
}

/// Objects follow one another; the last one, number 0, is the free space up to the end, and is left out when less than a header is free.
bool is_whole(std::span<const char> heap) {
  std::uint64_t at = kHeader;
  while (heap.size() - at >= kHeader) {
    const auto number = number_at<std::uint16_t>(heap, at);
    const auto size = number_at<std::uint64_t>(heap, at + kAlignment);
    const std::uint64_t left = heap.size() - at;
    if (number == 0) return size == left;
    if (size > left - kHeader) return false;
    const std::uint64_t step = kHeader + (size + kAlignment - 1) / kAlignment * kAlignment;
    if (step > left) return false;
    at += step;
  }
  return true;
}

}  // namespace

void check_text_heaps(std::span<const char> file) {
  const std::string_view text(file.data(), file.size());
  for (std::size_t at = text.find(kSignature); at != text.npos; at = text.find(kSignature, at + 1)) {
    if (text.size() - at < kHeader) continue;
    const auto size = number_at<std::uint64_t>(file, at + kAlignment);
    if (size < kHeader || size > text.size() - at || !is_whole(file.subspan(at, size)))
      throw Error(ErrorKind::io, concat("the text at byte ", at, " is damaged"));
  }
}

void check_text_heaps(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::io, "it cannot be opened");
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  check_text_heaps(bytes);
}

}  // namespace bench::analysis::h5
