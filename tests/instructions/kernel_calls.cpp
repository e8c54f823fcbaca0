// SPDX-License-Identifier: Apache-2.0
// kernel_calls KERNEL CALLS [parameter=value ...]: prepares a kernel of one rank, runs it once, and then so many times inside counted_calls, the one
// function whose instructions test_instructions.py counts.
#include <cstdlib>
#include <functional>
#include <iostream>

#include "kernels/inputs.hpp"
#include "kernels/kernel.hpp"
#include "src/comm/link_self.hpp"

namespace {

using Call = std::function<void()>;

}  // namespace

/// The calls that are counted. A name of its own that no compiler changes, for the counter to find.
extern "C" [[gnu::noinline]] void counted_calls(const Call& call, int calls) {
  for (int i = 0; i < calls; ++i) call();
}

namespace {

using namespace bench;

/// `text` as a value of the type that the parameter has.
Value value_like(const Value& like, const std::string& text) {
  if (std::holds_alternative<bool>(like)) return text == "true";
  if (std::holds_alternative<std::int64_t>(like)) return std::int64_t{std::stoll(text)};
  return text;
}

Params params_of(const Op& op, int argc, char** argv) {
  Params params = default_params(op);
  for (int i = 3; i < argc; ++i) {
    const std::string text = argv[i];
    const std::size_t cut = text.find('=');
    const std::string name = text.substr(0, cut);
    if (cut == std::string::npos || !params.contains(name)) usage_error(concat("'", text, "' sets no parameter of ", op.name));
    params[name] = value_like(params[name], text.substr(cut + 1));
  }
  return params;
}

int run(int argc, char** argv) {
  if (argc < 3) usage_error("kernel_calls KERNEL CALLS [parameter=value ...]");
  const Kernel* kernel = Registry<Kernel>::instance().find(argv[1]);
  if (kernel == nullptr) usage_error(concat("no kernel '", argv[1], "'"));
  const Op& op = *Registry<Op>::instance().find(kernel->op);
  const auto problem = op.parse(params_of(op, argc, argv));
  if (const std::string reason = supports_case(*kernel, *problem); !reason.empty()) usage_error(reason);
  const auto positions = positions_of(op, *problem, 0);
  Tensors tensors;
  for (const TensorSpec& spec : op.inputs(*problem)) fill_share(tensors.add(spec.name, Tensor(spec.dtype, spec.shape)), spec, positions, 1);
  for (const TensorSpec& spec : op.outputs(*problem)) tensors.add(spec.name, Tensor(spec.dtype, spec.shape));
  comm::LinkSelf link;
  const std::int64_t bytes = kernel->workspace_bytes != nullptr ? kernel->workspace_bytes(*problem) : 0;
  Tensor workspace(DType::f64, {(bytes + 7) / 8});
  Context context;
  context.link = &link;
  context.workspace = {workspace.data(), static_cast<std::size_t>(bytes)};
  std::unique_ptr<Prepared> prepared;
  if (kernel->prepare != nullptr) prepared = kernel->prepare(*problem, tensors, context);
  context.prepared = prepared.get();
  const auto call = [&] { kernel->run(*problem, tensors, context); };
  call();  // binds symbols and starts what starts once
  counted_calls(call, std::atoi(argv[2]));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "kernel_calls: " << error.what() << '\n';
    return 2;
  }
}
