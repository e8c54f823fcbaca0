// SPDX-License-Identifier: Apache-2.0
// A kernel whose implementation lives in a program of its own: a Python package that adapters (jobs/adapters) call. It is handed the tensors, runs once for the
// check, and is then asked for so many timed calls. See docs/commands.md.
//
// It works as a device does: Context::stream is the queue that run puts a call into, and the backend's timer lets the program work it off and says how
// long that took, by the program's own clock.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/kernel.hpp"

namespace bench {

/// What to ask for.
struct CommandCall {
  std::string adapter;                                    // "module.Form", in jobs/adapters
  std::vector<std::pair<std::string, double>> settings{};  // of the problem, beyond what its tensors' shapes say
  std::vector<std::string> inputs, outputs;               // names of tensors; outputs that the program does not give are the kernel's `omits`
};

/// The timer's side of it.
class CommandQueue {
 public:
  virtual ~CommandQueue() = default;
  /// Starts the program, hands it the inputs and lets it run once. It has `seconds` for everything up to stop(). Error(unavailable) where programs are not
  /// allowed, or Python or the package is missing, in its own words; Error(timeout) when it hangs, Error(internal) when it ended.
  virtual void start(const CommandCall& call, Tensors& tensors, double seconds) = 0;
  /// One call, to be made later.
  virtual void put() = 0;
  /// Brings the last call's outputs home.
  virtual void collect(Tensors& tensors) = 0;
  /// Ends the program, whatever it does.
  virtual void stop() noexcept = 0;
};

/// The program while it works on a case.
class CommandCase final : public Prepared {
 public:
  CommandCase(CommandQueue& queue, const CommandCall& call, Tensors& tensors, double seconds) : queue_(queue) {
    try {
      queue_.start(call, tensors, seconds);
    } catch (...) {
      queue_.stop();  // one that hangs before it is ready must not go on beside the next case
      throw;
    }
  }
  ~CommandCase() override { queue_.stop(); }
  void collect(Tensors& tensors) const override { queue_.collect(tensors); }

 private:
  CommandQueue& queue_;
};

inline CommandQueue& queue_of(const Context& context) {
  if (context.stream == nullptr) throw Error(ErrorKind::unavailable, "a kernel of another program runs only where its backend's timer is");
  return *static_cast<CommandQueue*>(context.stream);
}

/// Kernel::prepare: of all inputs of the op, and all outputs but those that `omits` names.
std::unique_ptr<Prepared> start_command(const std::string& kernel, const std::string& adapter, const Problem& problem, Tensors& tensors, Context& context,
                                        std::vector<std::pair<std::string, double>> settings = {});
/// Kernel::run.
inline void put_command(const Problem&, Tensors&, Context& context) { queue_of(context).put(); }

}  // namespace bench
