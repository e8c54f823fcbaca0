// SPDX-License-Identifier: Apache-2.0
// The reading half of the HDF5 wrapper. A file is of unknown origin: every type and rank is looked at before anything is read.
#include <new>
#include <stdexcept>

#include "analysis/h5.hpp"

namespace bench::analysis::h5 {
namespace {

struct Source {
  Handle dataset;
  std::size_t rows;
};

Source open_dataset(hid_t group, const std::string& name, H5T_class_t wanted, const char* kind) {
  Handle dataset(BS_H5(H5Dopen2(group, name.c_str(), H5P_DEFAULT)), H5Dclose);
  const Handle type(BS_H5(H5Dget_type(dataset)), H5Tclose);
  const Handle space(BS_H5(H5Dget_space(dataset)), H5Sclose);
  if (H5Tget_class(type) != wanted || H5Sget_simple_extent_ndims(space) != 1)
    throw Error(ErrorKind::io, concat("dataset '", name, "' is not a column of ", kind));
  if (wanted == H5T_STRING && H5Tis_variable_str(type) <= 0)
    throw Error(ErrorKind::io, concat("dataset '", name, "' has text of fixed length"));
  return {std::move(dataset), static_cast<std::size_t>(BS_H5(H5Sget_simple_extent_npoints(space)))};
}

template <class T>
std::vector<T> rows_for(std::size_t rows, const std::string& name) {
  try {
    return std::vector<T>(rows);
  } catch (const std::exception&) {  // a damaged file can claim any length
    throw Error(ErrorKind::io, concat("dataset '", name, "' claims ", rows, " rows, more than memory holds"));
  }
}

template <class T>
std::vector<T> read_numbers(hid_t group, const std::string& name, hid_t type, H5T_class_t wanted, const char* kind) {
  const Source source = open_dataset(group, name, wanted, kind);
  auto values = rows_for<T>(source.rows, name);
  if (!values.empty()) BS_H5(H5Dread(source.dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
  return values;
}

/// Text that HDF5 allocated, given back to it.
class Words {
 public:
  Words(hid_t type, hid_t space, std::vector<char*>& pointers) : type_(type), space_(space), pointers_(pointers) {}
  ~Words() { H5Dvlen_reclaim(type_, space_, H5P_DEFAULT, pointers_.data()); }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;

 private:
  hid_t type_, space_;
  std::vector<char*>& pointers_;
};

}  // namespace

Handle open_group(hid_t parent, const std::string& name) {
  return {BS_H5(H5Gopen2(parent, name.c_str(), H5P_DEFAULT)), H5Gclose};
}

std::vector<std::string> names(hid_t group) {
  H5G_info_t info;
  BS_H5(H5Gget_info(group, &info));
  std::vector<std::string> list;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const auto at = [&](char* to, std::size_t size) {
      return H5Lget_name_by_idx(group, ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, to, size, H5P_DEFAULT);
    };
    std::string name(static_cast<std::size_t>(BS_H5(at(nullptr, 0))), '\0');
    BS_H5(at(name.data(), name.size() + 1));
    list.push_back(std::move(name));
  }
  return list;
}

std::vector<double> read_doubles(hid_t group, const std::string& name) {
  return read_numbers<double>(group, name, H5T_NATIVE_DOUBLE, H5T_FLOAT, "floating-point numbers");
}
std::vector<std::int64_t> read_ints(hid_t group, const std::string& name) {
  return read_numbers<std::int64_t>(group, name, H5T_NATIVE_INT64, H5T_INTEGER, "whole numbers");
}
std::vector<std::uint8_t> read_bytes(hid_t group, const std::string& name) {
  return read_numbers<std::uint8_t>(group, name, H5T_NATIVE_UINT8, H5T_INTEGER, "whole numbers");
}

std::vector<std::string> read_strings(hid_t group, const std::string& name) {
  const Source source = open_dataset(group, name, H5T_STRING, "text");
  auto pointers = rows_for<char*>(source.rows, name);
  if (pointers.empty()) return {};
  const Handle type(BS_H5(H5Dget_type(source.dataset)), H5Tclose);
  const Handle space(BS_H5(H5Dget_space(source.dataset)), H5Sclose);
  BS_H5(H5Dread(source.dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()));
  const Words owner(type, space, pointers);
  std::vector<std::string> values;
  for (const char* text : pointers) values.emplace_back(text != nullptr ? text : "");
  return values;
}

std::string text_attribute(hid_t object, const std::string& path, const std::string& name) {
  if (BS_H5(H5Aexists_by_name(object, path.c_str(), name.c_str(), H5P_DEFAULT)) == 0) return {};
  const Handle attribute(BS_H5(H5Aopen_by_name(object, path.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT)), H5Aclose);
  const Handle type(BS_H5(H5Aget_type(attribute)), H5Tclose);
  const Handle space(BS_H5(H5Aget_space(attribute)), H5Sclose);
  if (H5Tis_variable_str(type) <= 0 || H5Sget_simple_extent_npoints(space) != 1)
    throw Error(ErrorKind::io, concat("attribute '", name, "' is not one text"));
  std::vector<char*> pointer(1);
  BS_H5(H5Aread(attribute, type, pointer.data()));
  const Words owner(type, space, pointer);
  return pointer[0] != nullptr ? pointer[0] : "";
}

double number_attribute(hid_t object, const std::string& name) {
  const Handle attribute(BS_H5(H5Aopen(object, name.c_str(), H5P_DEFAULT)), H5Aclose);
  const Handle type(BS_H5(H5Aget_type(attribute)), H5Tclose);
  const Handle space(BS_H5(H5Aget_space(attribute)), H5Sclose);
  const H5T_class_t kind = H5Tget_class(type);
  if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || H5Sget_simple_extent_npoints(space) != 1)
    throw Error(ErrorKind::io, concat("attribute '", name, "' is not one number"));
  double value = 0.0;
  BS_H5(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value));
  return value;
}

}  // namespace bench::analysis::h5
