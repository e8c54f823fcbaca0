// SPDX-License-Identifier: Apache-2.0
#include "kernels/kernel.hpp"

#include <algorithm>

#include "kernels/library.hpp"

namespace bench {

template <>
Registry<Kernel>& Registry<Kernel>::instance() {
  static Registry<Kernel> registry;
  return registry;
}

template <>
Registry<Op>& Registry<Op>::instance() {
  static Registry<Op> registry;
  return registry;
}

template <>
Registry<Library>& Registry<Library>::instance() {
  static Registry<Library> registry;
  return registry;
}

std::string_view to_text(Backend backend) {
  switch (backend) {
    case Backend::cpu: return "cpu";
    case Backend::torch: return "torch";
    case Backend::cuda: return "cuda";
    case Backend::nccl: return "nccl";
    case Backend::command: return "command";
  }
  return "?";
}

std::string supports_case(const Kernel& kernel, const Problem& problem) {
  if (std::ranges::find(kernel.dtypes, problem.dtype) == kernel.dtypes.end())
    return concat("this kernel has no ", to_text(problem.dtype));
  if (std::ranges::find(kernel.passes, problem.pass) == kernel.passes.end())
    return concat("this kernel has no ", problem.pass, " pass");
  if (!kernel.collective && problem.ranks != 1)
    return concat("this kernel runs on one rank, not on ", problem.ranks);
  return kernel.supports != nullptr ? kernel.supports(problem) : std::string();
}

}  // namespace bench
