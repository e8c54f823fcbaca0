// SPDX-License-Identifier: Apache-2.0
// The door: parse, call the verb, turn errors into words on stderr and the exit code of docs/exit-codes.md. Only rank 0 speaks.
#include <csignal>
#include <iostream>
#include <optional>

#include "kernels/isa.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/self_profile.hpp"
#include "src/cli/verbs.hpp"
#include "src/comm/session.hpp"

namespace {

using namespace bench;

/// MPI is started where a launcher expects it or a run needs it; the reading verbs work without.
struct Door {
  cli::SelfProfile profile{jobs::steady_clock()};
  std::optional<comm::Session> session;

  void start_mpi(int& argc, char**& argv) {
    session.emplace(argc, argv);
    profile.mark("MPI start");
  }
  int rank() const { return session ? session->rank() : 0; }
  int ranks() const { return session ? session->size() : 1; }
};

int run(int argc, char** argv, Door& door) {
  if (comm::Session::launched()) door.start_mpi(argc, argv);
  const cli::Parsed parsed = cli::parse_arguments(argc, argv);
  const bool speaks = door.rank() == 0;
  if (parsed.exit_now) {
    if (speaks) std::cout << parsed.out << std::flush, std::cerr << parsed.err;
    return *parsed.exit_now;
  }
  if (parsed.options.isa) cap_isa(parse_isa(*parsed.options.isa));
  if (parsed.options.verb == cli::Verb::run) {
    if (!door.session) door.start_mpi(argc, argv);
    return cli::run_verb(parsed.options, *door.session, door.profile);
  }
  if (!speaks) return cli::kAllMeasured;
  switch (parsed.options.verb) {
    case cli::Verb::plan: return cli::plan_verb(parsed.options, door.ranks());
    case cli::Verb::compare: return cli::compare_verb(parsed.options);
    case cli::Verb::gate: return cli::gate_verb(parsed.options);
    case cli::Verb::launch: return cli::launch_verb(parsed.options);
    case cli::Verb::doctor: return cli::doctor_verb(parsed.options);
    case cli::Verb::merge: return cli::merge_verb(parsed.options);
    default: return cli::list_verb(parsed.options);
  }
}

/// Mistakes in the command or the study are found by every rank alike.
bool is_everyones(const Error& error) {
  return error.kind() != ErrorKind::internal && error.kind() != ErrorKind::comm && error.kind() != ErrorKind::timeout;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit then shows as a failed write, which has a message
  Door door;
  int code = cli::kSomeFailed;
  try {
    code = run(argc, argv, door);
  } catch (const Error& error) {
    if (door.rank() == 0 || !is_everyones(error)) std::cerr << concat("bench_scale: ", error.what(), '\n');
    code = cli::exit_code_of(error.kind());
    if (!is_everyones(error) && door.session) door.session->abort(code);  // the others may be waiting for this rank
  } catch (const std::exception& error) {
    std::cerr << concat("bench_scale: rank ", door.rank(), ": ", error.what(), '\n');
    if (door.session) door.session->abort(code);
  }
  // A launcher kills the rest when one rank leaves with an error: nobody goes before rank 0 has spoken.
  if (door.session) door.session->leave_together();
  return code;
}
