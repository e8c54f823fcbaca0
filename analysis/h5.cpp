// SPDX-License-Identifier: Apache-2.0
#include "analysis/h5.hpp"

#include <hdf5_hl.h>

#include <algorithm>

#include "analysis/h5_heap.hpp"

namespace bench::analysis::h5 {
namespace {

constexpr hsize_t kChunk = 4096;  // rows: 32 KiB of doubles, small enough for a few rows and large enough to compress
constexpr unsigned kDeflateLevel = 4;
constexpr std::size_t kGrowth = 1 << 20;  // bytes by which a file in memory grows

herr_t collect_words(unsigned, const H5E_error2_t* error, void* words) {
  if (error->desc != nullptr) static_cast<std::vector<std::string>*>(words)->push_back(error->desc);
  return 0;
}

/// No printing by the library, and no clean-up at the end of the process: handles close themselves, and what HDF5 could not close of a
/// damaged file makes its clean-up crash (1.10.8).
void be_quiet() {
  static const herr_t once = H5dont_atexit();
  static_cast<void>(once);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

constexpr unsigned kOrder = H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;  // netCDF4 opens for append only with both

Handle dataset_properties(hsize_t rows) {
  Handle list(BS_H5(H5Pcreate(H5P_DATASET_CREATE)), H5Pclose);
  if (rows > 0) {  // a chunk may not be longer than its dataset
    const hsize_t chunk = std::min(rows, kChunk);
    BS_H5(H5Pset_chunk(list, 1, &chunk));
    BS_H5(H5Pset_shuffle(list));
    BS_H5(H5Pset_deflate(list, kDeflateLevel));
  }
  BS_H5(H5Pset_obj_track_times(list, false));
  BS_H5(H5Pset_attr_creation_order(list, kOrder));
  return list;
}

Handle utf8_string_type() {
  Handle type(BS_H5(H5Tcopy(H5T_C_S1)), H5Tclose);
  BS_H5(H5Tset_size(type, H5T_VARIABLE));
  BS_H5(H5Tset_cset(type, H5T_CSET_UTF8));
  return type;
}

Handle write(hid_t group, const std::string& name, hid_t type, const void* data, std::size_t count) {
  const hsize_t length = count;
  const Handle space(BS_H5(H5Screate_simple(1, &length, nullptr)), H5Sclose);
  const Handle properties = dataset_properties(length);
  Handle dataset(BS_H5(H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT)), H5Dclose);
  if (count > 0) BS_H5(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
  return dataset;
}

void write_attribute(hid_t object, const std::string& name, hid_t type, hid_t space, const void* data) {
  const Handle attribute(BS_H5(H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT)), H5Aclose);
  BS_H5(H5Awrite(attribute, type, data));
}

void write_scalar_attribute(hid_t object, const std::string& name, hid_t type, const void* data) {
  const Handle space(BS_H5(H5Screate(H5S_SCALAR)), H5Sclose);
  write_attribute(object, name, type, space, data);
}

}  // namespace

void fail(const char* call) {
  std::vector<std::string> words;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, collect_words, &words);
  std::string text = concat("HDF5: ", call);
  if (!words.empty()) text += concat(": ", words.back(), ": ", words.front());  // what was wanted, and the cause at the bottom of the stack
  std::ranges::replace(text, '\n', ' ');
  throw Error(ErrorKind::io, text);
}

Handle create_file() {
  be_quiet();
  const Handle creation(BS_H5(H5Pcreate(H5P_FILE_CREATE)), H5Pclose);
  BS_H5(H5Pset_link_creation_order(creation, kOrder));
  BS_H5(H5Pset_attr_creation_order(creation, kOrder));
  BS_H5(H5Pset_obj_track_times(creation, false));
  const Handle access(BS_H5(H5Pcreate(H5P_FILE_ACCESS)), H5Pclose);
  BS_H5(H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110));
  BS_H5(H5Pset_fapl_core(access, kGrowth, false));
  return {BS_H5(H5Fcreate("in memory", H5F_ACC_TRUNC, creation, access)), H5Fclose};
}

std::vector<char> image_of(hid_t file) {
  BS_H5(H5Fflush(file, H5F_SCOPE_GLOBAL));
  std::vector<char> bytes(static_cast<std::size_t>(BS_H5(H5Fget_file_image(file, nullptr, 0))));
  BS_H5(H5Fget_file_image(file, bytes.data(), bytes.size()));
  return bytes;
}

Handle open_file(const std::filesystem::path& path) {
  be_quiet();
  check_text_heaps(path);
  return {BS_H5(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)), H5Fclose};
}

Handle create_group(hid_t parent, const std::string& name) {
  const Handle properties(BS_H5(H5Pcreate(H5P_GROUP_CREATE)), H5Pclose);
  BS_H5(H5Pset_link_creation_order(properties, kOrder));
  BS_H5(H5Pset_attr_creation_order(properties, kOrder));
  BS_H5(H5Pset_obj_track_times(properties, false));
  return {BS_H5(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, properties, H5P_DEFAULT)), H5Gclose};
}

void set_attribute(hid_t object, const std::string& name, const std::string& text) {
  const char* words = text.c_str();  // variable length: h5py gives str for these and bytes for fixed ones
  write_scalar_attribute(object, name, utf8_string_type(), &words);
}

void set_fixed_attribute(hid_t object, const std::string& name, const std::string& text) {
  const Handle type(BS_H5(H5Tcopy(H5T_C_S1)), H5Tclose);
  BS_H5(H5Tset_size(type, text.size() + 1));  // a type of no bytes is refused
  write_scalar_attribute(object, name, type, text.c_str());
}

void set_attribute(hid_t object, const std::string& name, double value) { write_scalar_attribute(object, name, H5T_NATIVE_DOUBLE, &value); }
void set_attribute(hid_t object, const std::string& name, std::int64_t value) { write_scalar_attribute(object, name, H5T_NATIVE_INT64, &value); }

void set_attribute(hid_t object, const std::string& name, const std::vector<std::uint8_t>& values) {
  const hsize_t length = values.size();
  const Handle space(BS_H5(H5Screate_simple(1, &length, nullptr)), H5Sclose);
  write_attribute(object, name, H5T_NATIVE_UINT8, space, values.data());
}

Handle write_doubles(hid_t group, const std::string& name, const std::vector<double>& values) {
  return write(group, name, H5T_NATIVE_DOUBLE, values.data(), values.size());
}
Handle write_ints(hid_t group, const std::string& name, const std::vector<std::int64_t>& values) {
  return write(group, name, H5T_NATIVE_INT64, values.data(), values.size());
}
Handle write_bytes(hid_t group, const std::string& name, const std::vector<std::uint8_t>& values) {
  return write(group, name, H5T_NATIVE_UINT8, values.data(), values.size());
}
Handle write_strings(hid_t group, const std::string& name, const std::vector<std::string>& values) {
  const Handle type = utf8_string_type();
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  return write(group, name, type, pointers.data(), pointers.size());
}

Handle write_rows(hid_t group, const std::string& name, hid_t type, const void* rows, std::size_t count) {
  return write(group, name, type, rows, count);
}

void make_scale(hid_t dataset, const std::string& name) { BS_H5(H5DSset_scale(dataset, name.c_str())); }
void attach_scale(hid_t other, hid_t scale) { BS_H5(H5DSattach_scale(other, scale, 0)); }

}  // namespace bench::analysis::h5
