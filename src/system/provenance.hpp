// SPDX-License-Identifier: Apache-2.0
// Where a result comes from: everything about program, machine and environment that a reader needs a year
// later. What cannot be learned is present as "unavailable", so that a missing fact is never mistaken for a
// default.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bench::system {

/// What stands for an absent fact.
inline constexpr const char* kUnavailable = "unavailable";

/// Names of libraries and their versions as found at run time, e.g. {"mpi", ...}. This room links none of
/// them: their own rooms know.
using LibraryVersions = std::map<std::string, std::string>;

/// The environment of this process as one object of sections, in a fixed order: started_utc, argv, build,
/// host, cpu, memory, libraries, slurm, variables. `arguments` is the command line as the user gave it. Host
/// and node names are hashed unless `keep_host`. Never throws for something absent. Takes some 20 ms (it
/// reads the topology): once a run.
nlohmann::ordered_json provenance(const std::vector<std::string>& arguments, bool keep_host,
                                  const LibraryVersions& libraries = {});

/// "bench_scale 0.1.0 (commit 0123456789ab, Release, GNU 12.2.0)"; for --version.
std::string version_text();

/// The time now as 2026-01-31T12:34:56Z.
std::string utc_now();

/// The first 16 hex digits of the SHA-256 of `name`: tells machines apart without naming them.
std::string hashed_name(const std::string& name);

/// Of the instruction sets that matter to our kernels, those this CPU has ("avx2", "avx512_bf16", "sve",
/// ...), from the text of /proc/cpuinfo; empty when it names no flags.
std::vector<std::string> isa_features(const std::string& cpuinfo);

}  // namespace bench::system
