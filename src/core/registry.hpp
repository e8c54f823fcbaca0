// SPDX-License-Identifier: Apache-2.0
// Things that introduce themselves: a Registry<T> collects plain descriptors with a `name`, and a static Registrar<T> at the bottom of
// a file adds one before main (or when a plug-in is loaded). The registrar only stores the struct: no I/O, no device call.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/core/error.hpp"

namespace bench {

template <class T>
class Registry {
 public:
  /// The one registry of T. It must be defined (not inlined) in exactly one file of the room that owns T, so that a plug-in that is
  /// loaded later shares it with the program.
  static Registry& instance();

  /// A name that is taken stops the program at start, naming itself.
  void add(T item) {
    const std::string name = item.name;
    const bool fresh = items_.emplace(name, std::move(item)).second;
    if (!fresh) throw Error(ErrorKind::internal, concat("'", name, "' is registered twice"));
  }
  const T* find(std::string_view name) const {
    const auto it = items_.find(name);
    return it == items_.end() ? nullptr : &it->second;
  }
  /// Sorted by name.
  std::vector<const T*> all() const {
    std::vector<const T*> list;
    for (const auto& item : items_) list.push_back(&item.second);
    return list;
  }

 private:
  std::map<std::string, T, std::less<>> items_;
};

template <class T>
struct Registrar {
  explicit Registrar(T item) { Registry<T>::instance().add(std::move(item)); }
};

}  // namespace bench
