// SPDX-License-Identifier: Apache-2.0
#include "analysis/tensor_file.hpp"

#include <vector>

#include "analysis/h5.hpp"
#include "analysis/replace_file.hpp"

namespace bench::analysis {
namespace {

h5::Handle space_of(const Shape& shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return {BS_H5(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr)), H5Sclose};
}

void write_tensor(hid_t file, const std::string& name, const Tensor& tensor) {
  const h5::Handle space = space_of(tensor.shape());
  const bool wide = tensor.dtype() == DType::f64;
  const hid_t type = wide ? H5T_IEEE_F64LE : H5T_IEEE_F32LE;
  const h5::Handle dataset(BS_H5(H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)), H5Dclose);
  std::vector<double> values(static_cast<std::size_t>(tensor.count()));  // HDF5 narrows; what fits 32 bits stays exact
  for (std::int64_t i = 0; i < tensor.count(); ++i) values[static_cast<std::size_t>(i)] = tensor.at(i);
  BS_H5(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
  h5::set_attribute(dataset, "dtype", std::string(to_text(tensor.dtype())));
}

void write_table(hid_t file, const IndexTable& table) {
  const h5::Handle space = space_of(table.shape);
  const h5::Handle dataset(BS_H5(H5Dcreate2(file, table.name.c_str(), H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)), H5Dclose);
  BS_H5(H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, table.values.data()));
}

void set_parameter(hid_t file, const std::string& name, const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return h5::set_attribute(file, name, *whole);
  if (const auto* flag = std::get_if<bool>(&value)) return h5::set_attribute(file, name, std::int64_t{*flag ? 1 : 0});
  h5::set_attribute(file, name, to_text(value));
}

}  // namespace

void write_tensors(const scaling::Case& c, const Tensors& tensors, std::span<const IndexTable> tables, const std::filesystem::path& path) {
  const h5::Handle file = h5::create_file();
  h5::set_attribute(file, "case", c.id);
  h5::set_attribute(file, "workload", c.op);
  h5::set_attribute(file, "kernel", c.kernel);
  for (const auto& [name, value] : c.params) set_parameter(file, name, value);
  for (const auto& [name, tensor] : tensors.all()) write_tensor(file, name, tensor);
  for (const IndexTable& table : tables) write_table(file, table);
  replace_file(path, h5::image_of(file));
}

}  // namespace bench::analysis
