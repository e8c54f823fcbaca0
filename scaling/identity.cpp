// SPDX-License-Identifier: Apache-2.0
#include "scaling/identity.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "scaling/value.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

constexpr std::size_t kIdDigits = 32, kShortIdDigits = 12;
constexpr std::int64_t kLargestExact = (std::int64_t{1} << 53) - 1;  // RFC 8785 numbers are doubles
constexpr std::string_view kHex = "0123456789abcdef";

/// RFC 8785 section 3.2.2.2: the five short escapes, \u00xx for the other control characters, everything else
/// as it is.
void append_escaped(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20) {
    out += "\\u00";
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  } else {
    out += c;
  }
}

void append_string(const std::string& text, const std::string& key, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > 127)
      usage_error(concat("parameter ", show(key), ": ", show(text),
                         " is not ASCII, so the case has no portable identity"));
    append_escaped(c, out);
  }
  out += '"';
}

void append_value(const Value& value, const std::string& key, std::string& out) {
  if (const std::string* text = std::get_if<std::string>(&value)) {
    append_string(*text, key, out);
    return;
  }
  const std::int64_t* number = std::get_if<std::int64_t>(&value);
  if (number != nullptr && (*number > kLargestExact || *number < -kLargestExact))
    usage_error(concat("parameter ", show(key), ": ", *number,
                       " is beyond 2^53 - 1, the largest integer every JSON reader keeps exactly"));
  out += to_text(value);
}

}  // namespace

std::string canonical_json(const Params& params) {
  std::string json = "{";
  for (const auto& [key, value] : params) {
    if (json.size() > 1) json += ',';
    append_string(key, key, json);
    json += ':';
    append_value(value, key, json);
  }
  return json + '}';
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  const int ok = EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr);
  BS_REQUIRE(ok == 1 && length == 32, "OpenSSL could not compute a SHA-256");
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

std::string case_id(const Params& params) {
  return sha256_hex(canonical_json(params)).substr(0, kIdDigits);
}

std::string short_id(const std::string& case_id) {
  return case_id.substr(0, kShortIdDigits);
}

void require_distinct_short_ids(std::vector<std::string> ids) {
  std::sort(ids.begin(), ids.end());
  const auto clash = std::adjacent_find(
      ids.begin(), ids.end(),
      [](const std::string& a, const std::string& b) { return short_id(a) == short_id(b); });
  if (clash != ids.end())
    usage_error(concat("cases ", *clash, " and ", *std::next(clash), " share their first ", kShortIdDigits,
                       " digits, so they could not be told apart"));
}

}  // namespace bench::scaling
