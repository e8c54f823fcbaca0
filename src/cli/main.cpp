// SPDX-License-Identifier: Apache-2.0
// The door: parse, call the verb, turn errors into words on stderr and the exit code of docs/exit-codes.md. Only rank 0 speaks.
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "src/cli/exit_codes.hpp"
#include "src/cli/verbs.hpp"

namespace {

using namespace bench;

/// A launcher's environment variable as a number, for what has to be known before MPI is started.
int from_launcher(std::initializer_list<const char*> names, int fallback) {
  for (const char* name : names)
    if (const char* text = std::getenv(name)) return std::atoi(text);
  return fallback;
}

int run(int argc, char** argv, bool speaks, int ranks) {
  const cli::Parsed parsed = cli::parse_arguments(argc, argv);
  if (parsed.exit_now) {
    if (speaks) std::cout << parsed.out, std::cerr << parsed.err;
    return *parsed.exit_now;
  }
  if (parsed.options.verb == cli::Verb::run) return cli::run_verb(parsed.options, argc, argv);
  if (!speaks) return cli::kAllMeasured;
  return parsed.options.verb == cli::Verb::plan ? cli::plan_verb(parsed.options, ranks) : cli::list_verb(parsed.options);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit then shows as a failed write, which has a message
  const int rank = from_launcher({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}, 0);
  const int ranks = from_launcher({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}, 1);
  try {
    return run(argc, argv, rank == 0, ranks);
  } catch (const Error& error) {
    if (rank == 0) std::cerr << "bench_scale: " << error.what() << '\n';
    return cli::exit_code_of(error.kind());
  } catch (const std::exception& error) {
    std::cerr << "bench_scale: rank " << rank << ": " << error.what() << '\n';
    return cli::kSomeFailed;
  }
}
