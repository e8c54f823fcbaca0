// SPDX-License-Identifier: Apache-2.0
#include "jobs/devices_apart.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "jobs/team.hpp"
#include "src/comm/device_choice.hpp"
#include "src/core/error.hpp"

namespace bench::jobs {
namespace {

struct Place {
  std::array<char, 256> host{};    // with an end, as gethostname gives it
  std::array<char, 64> device{};
};

}  // namespace

bool share_a_device(Link& link, std::string_view device, bool allowed) {
  Place mine;
  gethostname(mine.host.data(), mine.host.size() - 1);
  std::copy_n(device.begin(), std::min(device.size(), mine.device.size() - 1), mine.device.begin());
  std::vector<comm::GpuPlace> places;
  for (const Place& place : all_of(link, mine)) places.push_back({place.host.data(), place.device.data()});
  try {
    return comm::check_gpus_apart(places, allowed);
  } catch (const Error& error) {
    throw Error(ErrorKind::unavailable, error.what());  // of this block here, not of the command line
  }
}

}  // namespace bench::jobs
