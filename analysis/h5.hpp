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

/// A new file with creation order tracked and the 1.8-1.10 format; `path` is replaced.
Handle create_file(const std::filesystem::path& path);
Handle open_file(const std::filesystem::path& path);
/// A new group with creation order tracked and no time stamps, so that two files made from one journal have the same bytes.
Handle create_group(hid_t parent, const std::string& name);

void set_attribute(hid_t object, const std::string& name, const std::string& text);
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

/// Makes `dataset` the coordinate named `name` of its group, and hangs `other` on it.
void make_scale(hid_t dataset, const std::string& name);
void attach_scale(hid_t other, hid_t scale);

}  // namespace bench::analysis::h5
