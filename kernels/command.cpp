// SPDX-License-Identifier: Apache-2.0
#include "kernels/command.hpp"

#include <algorithm>

namespace bench {

std::unique_ptr<Prepared> start_command(const std::string& kernel, const std::string& adapter, const Problem& problem, Tensors& tensors, Context& context,
                                        std::vector<std::pair<std::string, double>> settings) {
  const Kernel& own = *Registry<Kernel>::instance().find(kernel);
  const Op& op = *Registry<Op>::instance().find(own.op);
  CommandCall call{.adapter = adapter, .settings = std::move(settings), .inputs = {}, .outputs = {}};
  for (const TensorSpec& spec : op.inputs(problem)) call.inputs.push_back(spec.name);
  for (const TensorSpec& spec : op.outputs(problem))
    if (std::ranges::count(own.omits, spec.name) == 0) call.outputs.push_back(spec.name);
  return std::make_unique<CommandCase>(queue_of(context), call, tensors, context.link->seconds_left());
}

}  // namespace bench
