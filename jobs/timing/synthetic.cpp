// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/synthetic.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/core/rng.hpp"

namespace bench::jobs {
namespace {

std::vector<std::byte> stamped(std::span<const std::byte> payload, double true_s) {
  std::vector<std::byte> message(payload.begin(), payload.end());
  const auto stamp = std::as_bytes(std::span(&true_s, 1));
  message.insert(message.end(), stamp.begin(), stamp.end());
  return message;
}

double stamp_of(std::span<const std::byte> message) {
  double true_s = 0.0;
  std::memcpy(&true_s, message.data() + message.size() - sizeof true_s, sizeof true_s);
  return true_s;
}

/// An exchange whose end catches this rank's clock up with the arrival.
class StampedTransfer final : public Transfer {
 public:
  StampedTransfer(Link& link, std::span<const std::byte> out, int to, std::span<std::byte> in, int from, SyntheticClock clock, double latency_s)
      : out_(stamped(out, clock.true_s())),
        in_(in.size() + sizeof(double)),
        target_(in),
        clock_(std::move(clock)),
        latency_s_(latency_s),
        transfer_(link.post(out_, to, in_, from)) {}
  void wait() override {
    transfer_->wait();
    std::copy_n(in_.begin(), target_.size(), target_.begin());
    clock_.catch_up(stamp_of(in_) + latency_s_);
  }

 private:
  std::vector<std::byte> out_, in_;
  std::span<std::byte> target_;
  SyntheticClock clock_;
  double latency_s_;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace

std::unique_ptr<Transfer> SyntheticLink::post(std::span<const std::byte> out, int to, std::span<std::byte> in, int from) {
  count_sent(out.size());
  return std::make_unique<StampedTransfer>(inner_, out, to, in, from, clock_, latency_s_);
}

void SyntheticLink::allgather(std::span<const std::byte> mine, std::span<std::byte> all) {
  const std::vector<std::byte> message = stamped(mine, clock_.true_s());
  std::vector<std::byte> messages(message.size() * static_cast<std::size_t>(size()));
  inner_.allgather(message, messages);
  double last = 0.0;
  for (std::size_t r = 0; r < static_cast<std::size_t>(size()); ++r) {
    const auto one = std::span(messages).subspan(r * message.size(), message.size());
    std::copy_n(one.begin(), mine.size(), all.begin() + static_cast<std::ptrdiff_t>(r * mine.size()));
    last = std::max(last, stamp_of(one));
  }
  clock_.catch_up(last + latency_s_);
}

std::function<double()> scripted_durations(const Script& script) {
  return [script, rng = CounterRng(script.seed, "scripted durations"), call = std::uint64_t{0}, z = 0.0]() mutable {
    const double fresh = rng.normal(call);
    z = call == 0 ? fresh : script.phi * z + std::sqrt(1.0 - script.phi * script.phi) * fresh;
    const auto i = static_cast<double>(call++);
    const double left = script.ramp_calls > 0 ? std::max(0.0, 1.0 - i / static_cast<double>(script.ramp_calls)) : 0.0;
    return script.median_s * std::exp(script.sd_log * z) * (1.0 + script.ramp * left) * (1.0 + script.drift_per_call * i);
  };
}

}  // namespace bench::jobs
