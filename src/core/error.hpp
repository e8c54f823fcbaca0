// SPDX-License-Identifier: Apache-2.0
// The one exception of the project, and the check macro of the core room.
//
// A kind says who has to act, and main.cpp turns it into the exit code of docs/exit-codes.md:
//   usage        the command line or the study file is wrong            -> 2
//   unavailable  asked-for hardware, library or feature is not here     -> 4
//   no_match     nothing in the study matched what was asked for        -> 5
//   io           a file could not be read or written                    -> 2 at start, 75 while measuring
//   timeout      a wait passed its deadline: a peer is stuck or slow    -> 3 (an outcome of its case)
//   comm         the transport failed: a peer died, a message was lost  -> 3 (an outcome of its case)
//   internal     everything else: a bug, or a library that failed       -> 3
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace bench {

enum class ErrorKind { usage, unavailable, no_match, io, timeout, comm, internal };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  /// `where` is "file:line" and `expression` the text of the failed check; what() shows message, expression and place.
  Error(ErrorKind kind, const std::string& message, const char* expression, const char* file, int line);
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// Usage errors name the flag or key, the value given and what is allowed.
[[noreturn]] void usage_error(const std::string& message);

template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace bench

/// Throws Error(internal) with the expression and place when `condition` is false. Message parts are streamed.
#define BS_REQUIRE(condition, ...)                                                                       \
  do {                                                                                                   \
    if (!(condition))                                                                                    \
      throw ::bench::Error(::bench::ErrorKind::internal, ::bench::concat(__VA_ARGS__), #condition,       \
                           __FILE__, __LINE__);                                                          \
  } while (false)
