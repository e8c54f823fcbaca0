// SPDX-License-Identifier: Apache-2.0
#include "analysis/columns.hpp"

#include <gtest/gtest.h>

#include <set>

#include "scaling/parameters.hpp"

namespace bench::analysis {
namespace {

TEST(CaseColumns, HaveOneNameEachWhateverTheOpsCallTheirParameters) {
  RunRecord run;
  for (const Op* op : Registry<Op>::instance().all()) {
    scaling::Case c;
    c.id = c.op = op->name;
    c.kernel = op->name + "/some_kernel";
    c.params = scaling::default_params(*op);
    for (const ParamSpec& spec : scaling::protocol_params()) c.params.emplace(spec.name, spec.fallback);
    run.cases.push_back(c);
  }
  ASSERT_FALSE(run.cases.empty());
  std::set<std::string> names;
  for (const Column& column : case_columns(run, make_results(run)))
    EXPECT_TRUE(names.insert(column.name).second) << column.name << " is a figure and a parameter of some op";
}

}  // namespace
}  // namespace bench::analysis
