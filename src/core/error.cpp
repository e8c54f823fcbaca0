// SPDX-License-Identifier: Apache-2.0
#include "src/core/error.hpp"

namespace bench {

Error::Error(ErrorKind kind, const std::string& message, const char* expression, const char* file, int line)
    : std::runtime_error(concat(message, " [", expression, " failed at ", file, ":", line, "]")), kind_(kind) {}

void usage_error(const std::string& message) { throw Error(ErrorKind::usage, message); }

}  // namespace bench
