// SPDX-License-Identifier: Apache-2.0
// The two forms of a list of columns in HDF5: a group of one-dimensional variables with a coordinate (xarray, netCDF), and one compound
// dataset (pandas.read_hdf, PyTables).
#pragma once

#include <string>
#include <vector>

#include "analysis/columns.hpp"
#include "analysis/h5.hpp"

namespace bench::analysis {

/// The first column is the coordinate; its name is the dimension's name. `confidence` goes to every *_lo and *_hi variable.
void write_group(hid_t parent, const std::string& name, const std::vector<Column>& columns, double confidence);
/// Fixed-length strings, HDF5 table attributes, no scales.
void write_table(hid_t parent, const std::string& name, const std::vector<Column>& columns);

}  // namespace bench::analysis
