// SPDX-License-Identifier: Apache-2.0
#include "src/device/graph.hpp"

#include <cuda_runtime_api.h>

#include <exception>
#include <string>

#include "src/core/error.hpp"
#include "src/device/check.hpp"
#include "src/device/error_kinds.hpp"

namespace bench::device {
namespace {

struct DestroyGraph {
  void operator()(CUgraph_st* graph) const noexcept { BS_CUDA_NOEXCEPT(cudaGraphDestroy(graph)); }
};
using Graph = std::unique_ptr<CUgraph_st, DestroyGraph>;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::unavailable, concat("graph: the call cannot be captured: ", why));
}

std::string words(cudaError_t error) {
  return concat(cudaGetErrorName(error), ": ", cudaGetErrorString(error));
}

/// What `call` threw in the middle of a capture, in words; empty when it did not.
std::string thrown_by(const std::function<void()>& call) {
  try {
    call();
    return {};
  } catch (const std::exception& error) {
    const std::string text = error.what();
    return text.empty() ? "an exception without a message" : text;
  }
}

/// A capture that was spoilt has no graph, and the stream may still be told so until it is ended: it is ended first, whatever
/// happened.
Graph end_capture(const Stream& stream, const std::string& thrown) {
  cudaGraph_t made = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(stream.get(), &made);
  Graph graph(made);
  static_cast<void>(cudaGetLastError());
  if (breaks_the_context(static_cast<int>(ended))) BS_CUDA(ended);
  if (!thrown.empty()) refuse(thrown);
  if (ended != cudaSuccess) refuse(words(ended));
  return graph;
}

std::int64_t nodes_of(const Graph& graph) {
  std::size_t count = 0;
  BS_CUDA(cudaGraphGetNodes(graph.get(), nullptr, &count));
  return static_cast<std::int64_t>(count);
}

}  // namespace

GraphExec capture(const Stream& stream, const std::function<void()>& call) {
  BS_CUDA(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal));
  const Graph graph = end_capture(stream, thrown_by(call));
  GraphExec exec;
  exec.nodes_ = nodes_of(graph);
  if (exec.nodes_ == 0) refuse("it puts nothing on the stream it was given");
  cudaGraphExec_t made = nullptr;
  const cudaError_t code = cudaGraphInstantiate(&made, graph.get(), 0);
  exec.handle_.reset(made);
  BS_CUDA(code);
  // Or the first replay would pay for it.
  BS_CUDA(cudaGraphUpload(made, stream.get()));
  stream.wait();
  return exec;
}

void GraphExec::launch(const Stream& stream) const {
  BS_CUDA(cudaGraphLaunch(handle_.get(), stream.get()));
}

void GraphExec::Destroy::operator()(CUgraphExec_st* exec) const noexcept {
  BS_CUDA_NOEXCEPT(cudaGraphExecDestroy(exec));
}

}  // namespace bench::device
