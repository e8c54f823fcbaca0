// SPDX-License-Identifier: Apache-2.0
#include "src/comm/tape.hpp"

namespace bench::comm {

/// An exchange while it is recorded.
class TapedTransfer final : public Transfer {
 public:
  TapedTransfer(Tape& tape, std::size_t flight, std::unique_ptr<Transfer> now) : tape_(tape), flight_(flight), now_(std::move(now)) {}

  void wait() override {
    now_->wait();
    note_once([](Transfer& flight) { flight.wait(); });
  }
  void hold_up(void* stream) override {
    now_->hold_up(stream);
    note_once([stream](Transfer& flight) { flight.hold_up(stream); });
  }

 private:
  template <class Waiting>
  void note_once(Waiting waiting) {
    if (std::exchange(noted_, true)) return;
    tape_.note([this_flight = flight_, &tape = tape_, waiting] { waiting(*tape.flights_[this_flight]); });
  }
  Tape& tape_;
  std::size_t flight_;
  std::unique_ptr<Transfer> now_;
  bool noted_ = false;
};

std::unique_ptr<Transfer> Tape::note_post(std::unique_ptr<Transfer> now, Post again) {
  const std::size_t flight = flights_.size();
  flights_.emplace_back();
  note([this, flight, again = std::move(again)] { flights_[flight] = again(); });
  return std::make_unique<TapedTransfer>(*this, flight, std::move(now));
}

void Tape::play() {
  struct Landing {  // also while an exception unwinds, which is when a transfer may go unwaited
    std::vector<std::unique_ptr<Transfer>>& flights;
    ~Landing() {
      for (auto& flight : flights) flight.reset();
    }
  };
  const Landing landing{flights_};
  for (const auto& step : steps_) step();
}

}  // namespace bench::comm
