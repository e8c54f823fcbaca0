// SPDX-License-Identifier: Apache-2.0
// A thin owner for HDF5's C handles: every call checked once, every handle closed, so that nothing above tests a status.
// Files made here are readable by h5py, pandas, PyTables, xarray (both engines), netCDF4 and h5dump 1.10; docs/hdf5.md says which rule serves whom.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "src/core/error.hpp"

/// Throws Error(io) with HDF5's own words when a call returns a negative value; gives the value otherwise.
#define BS_H5(call) ::bench::analysis::h5::checked((call), #call)

namespace bench::analysis::h5 {

[[noreturn]] void fail(const char* call);

template <class T>
T checked(T value, const char* call) {
  if (value < 0) fail(call);
  return value;
}

/// Owns one handle and its close function. Move-only.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// A new file in memory, with creation order tracked and the 1.8-1.10 format. HDF5 never writes to the disk itself: a file that it cannot
/// close for want of space stays open in the library and takes the process down at its end (1.10.8).
Handle create_file();
/// The bytes of such a file, to be written as they are.
std::vector<char> image_of(hid_t file);
/// For reading. A damaged file that HDF5 would trip over is refused (h5_heap.hpp).
Handle open_file(const std::filesystem::path& path);
Handle open_group(hid_t parent, const std::string& name);
/// A new group with creation order tracked and no time stamps, so that two files made from one journal have the same bytes.
Handle create_group(hid_t parent, const std::string& name);

void set_attribute(hid_t object, const std::string& name, const std::string& text);
/// Fixed length, as the HDF5 table specification asks of its own attributes.
void set_fixed_attribute(hid_t object, const std::string& name, const std::string& text);
void set_attribute(hid_t object, const std::string& name, double value);
void set_attribute(hid_t object, const std::string& name, std::int64_t value);
void set_attribute(hid_t object, const std::string& name, const std::vector<std::uint8_t>& values);

/// One-dimensional datasets, chunked and deflated (shuffle + level 4). An empty vector makes an empty dataset.
Handle write_doubles(hid_t group, const std::string& name, const std::vector<double>& values);
Handle write_ints(hid_t group, const std::string& name, const std::vector<std::int64_t>& values);
Handle write_bytes(hid_t group, const std::string& name, const std::vector<std::uint8_t>& values);
Handle write_strings(hid_t group, const std::string& name, const std::vector<std::string>& values);  // variable length, UTF-8

/// Rows of a compound `type`, in the memory layout of that type.
Handle write_rows(hid_t group, const std::string& name, hid_t type, const void* rows, std::size_t count);

/// Members of a group in the order they were made.
std::vector<std::string> names(hid_t group);
/// One-dimensional datasets back; one of another kind of type or rank is Error(io) that names it.
std::vector<double> read_doubles(hid_t group, const std::string& name);
std::vector<std::int64_t> read_ints(hid_t group, const std::string& name);
std::vector<std::uint8_t> read_bytes(hid_t group, const std::string& name);
std::vector<std::string> read_strings(hid_t group, const std::string& name);  // variable length
/// Attributes of the member `path` ("." for the object itself). The text is empty when there is no such attribute.
std::string text_attribute(hid_t object, const std::string& path, const std::string& name);
double number_attribute(hid_t object, const std::string& name);

/// Makes `dataset` the coordinate named `name` of its group, and hangs `other` on it.
void make_scale(hid_t dataset, const std::string& name);
void attach_scale(hid_t other, hid_t scale);

}  // namespace bench::analysis::h5
