// SPDX-License-Identifier: Apache-2.0
#include "scaling/shard.hpp"

#include <charconv>
#include <string_view>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

constexpr std::int64_t kMostShards = 1'000'000;
constexpr std::size_t kDigits = 16;

/// All of `text` as a number to `base`; false when it is none.
template <class T>
bool read(std::string_view text, T& value, int base) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return code == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Shard parse_shard(const std::string& text) {
  const std::string_view all = text;
  const std::size_t slash = all.find('/');
  Shard shard;
  const bool numbers = slash != std::string_view::npos && read(all.substr(0, slash), shard.index, 10) &&
                       read(all.substr(slash + 1), shard.count, 10);
  if (!numbers || shard.count < 1 || shard.count > kMostShards || shard.index < 0 ||
      shard.index >= shard.count)
    usage_error(
        concat("shard '", text, "'; allowed: I/N with 0 <= I < N <= ", kMostShards, ", as in 0/4 ... 3/4"));
  return shard;
}

bool belongs_to(const Shard& shard, const std::string& case_id) {
  std::uint64_t number = 0;
  BS_REQUIRE(case_id.size() >= kDigits && read(std::string_view(case_id).substr(0, kDigits), number, 16), "'",
             case_id, "' is no case id");
  return number % static_cast<std::uint64_t>(shard.count) == static_cast<std::uint64_t>(shard.index);
}

void keep_shard(std::vector<Case>& cases, const Shard& shard) {
  std::erase_if(cases, [&](const Case& c) { return !belongs_to(shard, c.id); });
}

}  // namespace bench::scaling
