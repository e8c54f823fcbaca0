// SPDX-License-Identifier: Apache-2.0
// A link with its ranks counted from the other end keeps every promise of a link, but that it counts no bytes
// itself: the link below does.
#include "kernels/scan/reversed_link.hpp"

#include <gtest/gtest.h>

#include "src/comm/link_threads.hpp"
#include "tests/support/link_laws.hpp"

namespace bench::scan {
namespace {

TEST(ReversedLink, KeepsTheLawsOfALink) {
  for (const test::LinkLaw& law : test::kLinkLaws) {
    if (law.check == test::law_bytes_sent_counts_payload_to_others || law.check == test::law_collectives_count_what_has_to_be_sent) continue;
    SCOPED_TRACE(law.name);
    for (const int ranks : {1, 2, 3, 5})
      comm::run_on_threads(ranks, [&](Link& link) {
        ReversedLink reversed(link);
        law.check(reversed);
      });
  }
}

TEST(ReversedLink, CountsRanksFromTheOtherEndAndBytesBelow) {
  comm::run_on_threads(3, [](Link& link) {
    ReversedLink reversed(link);
    EXPECT_EQ(reversed.rank(), 2 - link.rank());
    EXPECT_EQ(reversed.size(), 3);
    const test::Bytes out = test::link_message(link.rank(), 0, 100);
    test::Bytes in(100);
    reversed.sendrecv(out, (reversed.rank() + 1) % 3, in, (reversed.rank() + 2) % 3);
    EXPECT_TRUE(in == test::link_message((link.rank() + 1) % 3, 0, 100));
    EXPECT_EQ(link.bytes_sent(), 100);
    EXPECT_EQ(reversed.bytes_sent(), 0);
  });
}

}  // namespace
}  // namespace bench::scan
