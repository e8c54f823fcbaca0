// SPDX-License-Identifier: Apache-2.0
// A library that some kernels call, for a run's record of where it ran: found at run time, so its version is no property of the build.
#pragma once

#include <string>

#include "src/core/registry.hpp"

namespace bench {

struct Library {
  std::string name;           // as its makers write it
  std::string (*version)();   // what is there now, or "unavailable: why"; may open the library
};

template <>
Registry<Library>& Registry<Library>::instance();

}  // namespace bench
