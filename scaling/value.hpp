// SPDX-License-Identifier: Apache-2.0
// How one value is written in a study, on the command line and inside an expression: the lexical floor that
// scaling/grammar and scaling/expression share, so that `8k` means 8192 in both.
//
//   integer   decimal digits, optionally k, m or g (either case) = 1024, 1024^2, 1024^3; never the powers of
//   1000 boolean   true | false word      a letter, '_' or '/' first, then printable ASCII except blanks,
//   quotes, ',', '{' and '}' text      anything printable in ASCII between ' or "; the quote itself is
//   written twice: 'it''s'
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/core/params.hpp"

namespace bench::scaling {

/// An unsigned integer at the front of a text.
struct ScannedInteger {
  std::int64_t value = 0;
  std::size_t length = 0;  // characters taken, suffix included; 0: no digit here
  bool overflow = false;   // does not fit in 63 bits; `value` is then meaningless
};
/// Reads digits and a suffix. A letter is a suffix only when no letter, digit or '_' follows it ("8k" but not
/// "8kb").
ScannedInteger scan_integer(std::string_view text);

/// A quoted text at the front of another.
struct ScannedText {
  std::string content;
  std::size_t length = 0;  // characters taken, both quotes included; 0: the closing quote is missing
};
/// `text` starts with ' or ". A doubled quote stands for one.
ScannedText scan_quoted(std::string_view text);

/// One value: integer (a leading '-' allowed), boolean, word or quoted text; blanks around it are ignored.
/// What starts like a number must be one ("12abc" and "1.5" are usage errors; quote them to mean words).
Value parse_value(std::string_view text);

/// `text` such that parse_value gives `value` back: to_text, with quotes where a bare word would be read as
/// something else. A string with characters outside printable ASCII is a usage error.
std::string format_value(const Value& value);

/// "integer", "boolean" or "text".
const char* type_name(const Value& value);

/// `text` made fit for an error message: in single quotes, at most 80 characters, unprintable bytes as '?'.
std::string show(std::string_view text);

/// Without leading and trailing blanks.
std::string_view trim(std::string_view text);

/// ASCII only, unlike the std functions, which follow the locale.
bool is_digit(char c);
bool is_name_start(char c);  // letter or '_'
bool is_name_part(char c);   // letter, digit or '_'

}  // namespace bench::scaling
