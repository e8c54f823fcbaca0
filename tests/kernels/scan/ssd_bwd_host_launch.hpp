// SPDX-License-Identifier: Apache-2.0
// A device's backward kernels of the ssd op, launched on the host (tests/support/host_machine.hpp), against the fp64 oracle.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/scan/ssd_bwd_ends.hpp"
#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan::test {

/// A backward problem with the scratch that its launches hand each other, poisoned.
class BwdHostCase {
 public:
  explicit BwdHostCase(const Params& changes, const Spoil& spoil = nullptr, const std::vector<std::int64_t>& starts = {})
      : case_(with(changes, "pass", std::string("bwd")), spoil, starts), size_(case_.p), job_{case_.job()} {
    Tensors& out = case_.outputs;
    job_.dout = case_.inputs["dout"].data();
    job_.dh_last = case_.inputs["dh_last"].as<float>();
    job_.out = case_.p.gated ? out["dz"].data() : nullptr;
    job_.dx = out["dx"].data(), job_.ddt = out["ddt"].data();
    job_.da = out["dA"].as<float>(), job_.dskip = out["dD"].as<float>(), job_.dbias = out["ddt_bias"].as<float>(), job_.dh0 = out["dh0"].as<float>();
    job_.db = out["dB"].as<float>(), job_.dc = out["dC"].as<float>();
    job_.shares = static_cast<int>(size_.shares);
    job_.h_last = grown(h_last_, job_.all_states()), job_.keep = grown(keep_, size_.keep);
    job_.states = grown(before_, size_.states);
    job_.before = before_.data(), job_.after = grown(after_, size_.states);
    job_.db_shares = size_.shares > 1 ? grown(db_, size_.mixers) : job_.db;
    job_.dc_shares = size_.shares > 1 ? grown(dc_, size_.mixers) : job_.dc;
    job_.sums = grown(sums_, size_.sums), job_.span_sums = grown(span_sums_, size_.span_sums);
  }
  const SsdBwdJob& job() const { return job_; }
  /// The same for the launches that make gradients of states.
  SsdBwdJob gradients() {
    SsdBwdJob job = job_;
    job.states = after_.data();
    return job;
  }

  /// What is left to do behind the chunks.
  template <class T>
  void run_ends(std::uint64_t seed) const {
    using M = support::HostMachine;
    using Steps = SsdBwdSteps<M, T>;
    support::run_blocks(Steps::blocks(job_), Steps::kThreads, Steps::kSharedBytes, seed, [&] { Steps::run(job_); });
    support::run_blocks(SsdBwdSums<M>::blocks(job_), SsdBwdSums<M>::kThreads, 0, seed, [&] { SsdBwdSums<M>::run(job_); });
    if (size_.shares > 1) support::run_blocks(SsdBwdMixers<M>::blocks(job_), SsdBwdMixers<M>::kThreads, 0, seed, [&] { SsdBwdMixers<M>::run(job_); });
  }

  void expect_the_oracles_answer() { case_.expect_the_oracles_answer(); }
  const Tensors& outputs() const { return case_.outputs; }

 private:
  template <class T>
  static T* grown(std::vector<T>& memory, std::int64_t count) {
    memory.resize(static_cast<std::size_t>(count));
    std::memset(static_cast<void*>(memory.data()), 0xff, memory.size() * sizeof(T));  // NaN
    return memory.data();
  }

  HostCase case_;
  SsdBwdScratch size_;
  SsdBwdJob job_;
  std::vector<float> h_last_, keep_, before_, after_, db_, dc_;
  std::vector<SsdStepSums> sums_, span_sums_;
};

/// Launcher::launch(case, seed) runs every block of all launches.
template <class Launcher>
void expect_the_oracles_gradients(const Params& changes, const Spoil& spoil = nullptr, const std::vector<std::int64_t>& starts = {}) {
  SCOPED_TRACE(text_of(changes));
  BwdHostCase c(changes, spoil, starts);
  Launcher::launch(c, 1);
  c.expect_the_oracles_answer();
}

template <class Launcher>
void expect_bits_that_no_order_of_threads_changes(const Params& changes) {
  BwdHostCase one(changes), other(changes);
  Launcher::launch(one, 1);
  Launcher::launch(other, 7);
  for (const auto& [name, tensor] : one.outputs().all()) EXPECT_EQ(std::memcmp(tensor.data(), other.outputs()[name].data(), static_cast<std::size_t>(tensor.bytes())), 0) << name;
}

}  // namespace bench::scan::test
