// SPDX-License-Identifier: Apache-2.0
#include "src/system/topology.hpp"

#include <hwloc.h>

#include <algorithm>
#include <cmath>
#include <new>

#include "src/core/error.hpp"
#include "src/system/limits.hpp"
#include "src/system/proc_files.hpp"

namespace bench::system {
namespace {

struct FreeBitmap {
  void operator()(hwloc_bitmap_t bits) const { hwloc_bitmap_free(bits); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

Bitmap empty_bitmap() {
  Bitmap bits(hwloc_bitmap_alloc());
  if (!bits) throw std::bad_alloc();
  return bits;
}

CpuList to_list(hwloc_const_bitmap_t bits) {
  CpuList list;
  for (int i = hwloc_bitmap_first(bits); i >= 0; i = hwloc_bitmap_next(bits, i)) list.push_back(i);
  return list;
}

// hwloc leaves out what control groups forbid, but reads them from files that a container may hide. The
// kernel itself always knows: ask for every unit, see what we were given, and restore the thread's binding.
Bitmap allowed_units(hwloc_topology_t topology) {
  Bitmap allowed(hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology)));
  const Bitmap before = empty_bitmap(), granted = empty_bitmap();
  if (!allowed) throw std::bad_alloc();
  if (hwloc_get_cpubind(topology, before.get(), HWLOC_CPUBIND_THREAD) != 0) return allowed;
  if (hwloc_set_cpubind(topology, hwloc_topology_get_complete_cpuset(topology), HWLOC_CPUBIND_THREAD) == 0 &&
      hwloc_get_cpubind(topology, granted.get(), HWLOC_CPUBIND_THREAD) == 0 &&
      hwloc_bitmap_intersects(allowed.get(), granted.get())) {
    hwloc_bitmap_and(allowed.get(), allowed.get(), granted.get());
  }
  hwloc_set_cpubind(topology, before.get(), HWLOC_CPUBIND_THREAD);
  return allowed;
}

std::string cpu_model(hwloc_topology_t topology) {
  const hwloc_obj_t package = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PACKAGE, 0);
  const char* name = package == nullptr ? nullptr : hwloc_obj_get_info_by_name(package, "CPUModel");
  if (name != nullptr) return std::string(trimmed(name));
  const auto line = value_of(read_text("/proc/cpuinfo").value_or(""), "model name").value_or("");
  return std::string(trimmed(line.substr(std::min(line.size(), line.find(':') + 1))));
}

std::int64_t cache_bytes(hwloc_topology_t topology, hwloc_obj_type_t level) {
  const hwloc_obj_t cache = hwloc_get_obj_by_type(topology, level, 0);
  return cache == nullptr ? 0 : static_cast<std::int64_t>(cache->attr->cache.size);
}

std::vector<CpuList> allowed_cores(hwloc_topology_t topology) {
  const Bitmap allowed = allowed_units(topology);
  std::vector<CpuList> cores;
  const auto add = [&](hwloc_obj_t object) {
    const Bitmap units = empty_bitmap();
    hwloc_bitmap_and(units.get(), object->cpuset, allowed.get());
    if (!hwloc_bitmap_iszero(units.get())) cores.push_back(to_list(units.get()));
  };
  // Some virtual machines show no cores: then each processing unit counts as one.
  const bool has_cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0;
  const hwloc_obj_type_t type = has_cores ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  for (hwloc_obj_t object = nullptr;
       (object = hwloc_get_next_obj_by_type(topology, type, object)) != nullptr;)
    add(object);
  return cores;
}

Machine read_machine(hwloc_topology_t topology) {
  Machine machine;
  machine.cpu_model = cpu_model(topology);
  machine.packages = std::max(0, hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PACKAGE));
  machine.numa_nodes = std::max(0, hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE));
  machine.allowed_cores = allowed_cores(topology);
  machine.cores = static_cast<int>(machine.allowed_cores.size());
  for (const CpuList& core : machine.allowed_cores) machine.threads += static_cast<int>(core.size());
  machine.l1d_bytes = cache_bytes(topology, HWLOC_OBJ_L1CACHE);
  machine.l2_bytes = cache_bytes(topology, HWLOC_OBJ_L2CACHE);
  machine.l3_bytes = cache_bytes(topology, HWLOC_OBJ_L3CACHE);
  machine.memory_bytes = static_cast<std::int64_t>(hwloc_get_root_obj(topology)->total_memory);
  machine.quota_cores = cpu_quota_cores().value_or(0.0);
  return machine;
}

}  // namespace

CoreShare split_cores(const Machine& machine, int local_rank, int local_size, int threads) {
  BS_REQUIRE(local_size > 0 && local_rank >= 0 && local_rank < local_size, "no rank ", local_rank, " among ",
             local_size);
  BS_REQUIRE(threads >= 0, threads, " threads");
  const int cores = static_cast<int>(machine.allowed_cores.size());
  const int share = cores / local_size;
  const int odd = cores % local_size;
  const int wanted = std::max(threads, 1);
  const bool over_quota = machine.quota_cores > 0 && wanted * local_size > std::ceil(machine.quota_cores);
  if (wanted > share || over_quota) return {true, {}};
  const int first = local_rank * share + std::min(local_rank, odd);
  const int mine = threads > 0 ? threads : share + (local_rank < odd ? 1 : 0);
  CoreShare result;
  for (int core = first; core < first + mine; ++core) {
    result.pus.push_back(machine.allowed_cores[static_cast<std::size_t>(core)].front());
  }
  return result;
}

void Topology::Destroy::operator()(hwloc_topology* topology) const {
  hwloc_topology_destroy(topology);
}

Topology::Topology() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) throw Error(ErrorKind::unavailable, "hwloc could not start");
  handle_.reset(raw);
  if (hwloc_topology_load(raw) != 0)
    throw Error(ErrorKind::unavailable, "hwloc could not read this machine's topology");
  machine_ = read_machine(raw);
}

bool Topology::bind_this_process(const CpuList& pus) const {
  const Bitmap set = empty_bitmap();
  for (const int pu : pus) hwloc_bitmap_set(set.get(), static_cast<unsigned>(pu));
  return !pus.empty() && hwloc_set_cpubind(handle_.get(), set.get(), HWLOC_CPUBIND_PROCESS) == 0;
}

CpuList Topology::current_binding() const {
  const Bitmap set = empty_bitmap();
  if (hwloc_get_cpubind(handle_.get(), set.get(), HWLOC_CPUBIND_THREAD) != 0) return {};
  return to_list(set.get());
}

}  // namespace bench::system
