// SPDX-License-Identifier: Apache-2.0
// The implementation side of the kernel contract: a plain descriptor, one per file, registered by the last line of that file.
//
//   static const Registrar<Kernel> registrar{{.name = "attention/naive_cpu", .op = "attention", ...}};
//
// Life of a case: supports -> allocate -> fill -> prepare -> run (verified) -> run (warm-up) -> run (timed) -> release.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/problem.hpp"
#include "src/core/link.hpp"

namespace bench {

enum class Backend : std::uint8_t { cpu, torch, cuda, nccl, command };
std::string_view to_text(Backend backend);

/// What a kernel made in prepare and needs in run: packed panels, a compiled module, receive buffers.
struct Prepared {
  Prepared() = default;
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  virtual ~Prepared() = default;
  /// What run reads of it: a case with cold caches drops it from them before each sample, as it does the tensors.
  virtual std::vector<std::span<const std::byte>> memory() const { return {}; }
  /// Brings home to `tensors` what run left elsewhere, as on a device. After run has ended, before outputs are read; not timed.
  virtual void collect(Tensors& tensors) const { static_cast<void>(tensors); }
};

/// What a kernel is given besides its data. All of it outlives the case.
struct Context {
  Link* link = nullptr;            // never null while running; size() == problem.ranks. Host memory
  DeviceLink* device_link = nullptr;  // between the same ranks' devices, following `stream`; null unless the case's link is nccl
  std::span<std::byte> workspace;  // 64-byte aligned, as many bytes as workspace_bytes asked for
  Prepared* prepared = nullptr;    // what prepare returned
  void* stream = nullptr;          // a device kernel's cudaStream_t, opaque here; all its work goes there. Null for the host's kernels
};

struct Kernel {
  std::string name;                  // the file's path under kernels/ without suffix: "attention/flash_tiled_cpu"
  std::string op;                    // an Op's name
  Backend backend = Backend::cpu;
  std::vector<DType> dtypes;
  std::vector<std::string> passes = {"fwd"};
  std::vector<std::string> omits = {};  // outputs of the op that run does not write; they are neither checked nor compared
  bool collective = false;           // true: works on any problem.ranks through the Link; false: ranks must be 1
  std::string about;                 // one line for `list`
  Params example = {};               // over the op's defaults: a problem that it takes, where it does not take those

  /// Why this problem cannot be run, in words; empty when it can. dtype, pass and ranks are checked before by supports_case.
  std::string (*supports)(const Problem&) = nullptr;  // null: everything
  /// Bytes of scratch per rank; null: none.
  std::int64_t (*workspace_bytes)(const Problem&) = nullptr;
  /// May allocate, plan and compile; null: nothing to prepare. `tensors` are this rank's shares, inputs filled. Collective, like run: it may
  /// talk over ctx.link, and all ranks have their tensors and workspace by then.
  std::unique_ptr<Prepared> (*prepare)(const Problem&, Tensors& tensors, Context&) = nullptr;
  /// Computes the outputs from the inputs. Neither allocates nor synchronises, reads no clock, touches no input. Collective kernels talk
  /// through ctx.link only, and all ranks of the problem call run together.
  void (*run)(const Problem&, Tensors& tensors, Context&) = nullptr;
};

/// The descriptor's own limits first (dtype, pass, ranks), then its supports(). Empty when the problem can be run.
std::string supports_case(const Kernel& kernel, const Problem& problem);

template <>
Registry<Kernel>& Registry<Kernel>::instance();

}  // namespace bench
