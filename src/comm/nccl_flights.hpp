// SPDX-License-Identifier: Apache-2.0
// The exchanges that were put on a link's stream, in their order, until somebody looks and finds them ended:
// what a watchdog names when it gives up. Their events are used again, as making one takes longer than an
// exchange on the same node.
#pragma once

#include "src/comm/nccl_parts.hpp"

#if __has_include(<cuda_runtime_api.h>) && __has_include(<nccl.h>)

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace bench::comm {

struct Flight {
  std::shared_ptr<Event> done;
  std::int64_t number = 0;  // from 1 on, since the stream was last seen without any
  int to = 0, from = 0;
  const char* collective = nullptr;  // its name, which then says all of its peers

  std::string peers() const {
    if (collective != nullptr) return concat("the other ranks in ", collective);
    return concat("rank ", from, " to send or rank ", to, " to take");
  }
};

class Flights {
 public:
  /// Marks the end of what is on `stream` now.
  Flight depart(cudaStream_t stream, int to, int from, const char* collective = nullptr) {
    Flight flight{take(), ++number_, to, from, collective};
    flight.done->record(stream);
    under_way_.push_back(flight);
    return flight;
  }

  /// The first one that has not ended; null when all have.
  const Flight* first() {
    while (!under_way_.empty() && under_way_.front().done->passed()) {
      spare_.push_back(std::move(under_way_.front().done));
      under_way_.pop_front();
    }
    if (!under_way_.empty()) return &under_way_.front();
    number_ = 0;
    return nullptr;
  }

 private:
  /// One that no transfer holds any more.
  std::shared_ptr<Event> take() {
    for (std::size_t i = spare_.size(); i-- > 0;) {
      if (spare_[i].use_count() > 1) continue;
      std::swap(spare_[i], spare_.back());
      std::shared_ptr<Event> event = std::move(spare_.back());
      spare_.pop_back();
      return event;
    }
    return std::make_shared<Event>();
  }

  std::deque<Flight> under_way_;
  std::vector<std::shared_ptr<Event>> spare_;
  std::int64_t number_ = 0;
};

}  // namespace bench::comm

#endif
