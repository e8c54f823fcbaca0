// SPDX-License-Identifier: Apache-2.0
// A CUDA graph: what a call puts on a stream, recorded once and queued as one from then on, so that the host pays for
// one launch and not for each of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "src/device/stream.hpp"

struct CUgraph_st;  // CUDA's own names: cudaGraph_t and cudaGraphExec_t are pointers to them
struct CUgraphExec_st;

namespace bench::device {

/// A recorded call that can be queued. Move-only.
class GraphExec {
 public:
  /// Puts the whole of it on `stream`.
  void launch(const Stream& stream) const;
  /// Operations (kernels, copies, ...) in it.
  std::int64_t nodes() const { return nodes_; }

 private:
  friend GraphExec capture(const Stream& stream, const std::function<void()>& call);
  struct Destroy {
    void operator()(CUgraphExec_st* exec) const noexcept;
  };
  std::unique_ptr<CUgraphExec_st, Destroy> handle_;
  std::int64_t nodes_ = 0;
};

/// Records what `call` puts on `stream`, which must be idle of captures; nothing of it runs. The call must have been
/// made before: loading a kernel and making a library's handle cannot be recorded. Capturing is of this thread: other threads may
/// use CUDA meanwhile.
/// Error(unavailable) in words when the call throws, does what a capture does not allow (waiting, allocating, copying
/// synchronously), or puts nothing on the stream. The stream is no longer capturing in any case.
GraphExec capture(const Stream& stream, const std::function<void()>& call);

}  // namespace bench::device
