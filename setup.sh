#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a bare Debian machine to numbers or to tested code, in one command. See ./setup.sh --help.
#
# Four steps, each skipped when its result is already there:
#   1 Debian packages   2 .venv from requirements.txt   3 cmake --preset release   4 the build
# and then the verb: run starts bench_scale under mpirun, test starts ctest, build stops here.
# Words go to stderr and to build/setup/<step>.log; stdout belongs to the program that is started.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly root
readonly build_dir="$root/build/release" venv="$root/.venv" log_dir="$root/build/setup"
readonly packages=(
  g++ cmake ninja-build ccache mold git ca-certificates python3-venv python3-dev
  libhdf5-dev hdf5-tools libcli11-dev libyaml-cpp-dev nlohmann-json3-dev libfmt-dev libspdlog-dev
  libboost-dev libhwloc-dev libssl-dev zlib1g-dev libgtest-dev libbenchmark-dev)
# Only some tests use these, and skip with a reason where they are absent: a whole Slurm on this machine, with what its srun
# starts MPI ranks by, a critic of scripts, and what counts instructions.
readonly test_packages=(slurm-wlm munge libpmix-dev shellcheck valgrind)

# What each step takes on two cores and a fast line, in seconds: only for the forecast.
readonly seconds_packages=60 seconds_python=150 seconds_configure=10 seconds_build=1800 seconds_build_program=1200
readonly ranks=${BENCH_SCALE_NP:-2}

steps=5          # of the verb, counted for the display
step=0
seconds_left=0   # forecast for the steps not yet begun
log=/dev/null    # of the current step

usage() {
  cat <<'TEXT'
Usage: ./setup.sh VERB [ARGUMENTS]

  run [ARGUMENTS]    install what is missing, build, then mpirun -np 2 bench_scale ARGUMENTS
  test [ARGUMENTS]   install what is missing, build, then ctest ARGUMENTS
  build              install what is missing and build
  bundle DIR         build, then make DIR a folder that runs on machines with nothing installed (docs/bundle.md)
  --help             this text

Examples:
  ./setup.sh run                          the built-in study "quick", about four minutes
  ./setup.sh run list                     another verb of bench_scale
  ./setup.sh test -R ring                 only the tests whose names match "ring"

Environment:
  BENCH_SCALE_NP       number of ranks for run (default 2)
  BENCH_SCALE_PYTHON   python that makes .venv (default /usr/bin/python3, else python3 on PATH; 3.11 or newer)
  CC CXX CMAKE_PREFIX_PATH and PIP_* are respected. Without root, load what is missing with modules or Spack.

Exit code: that of bench_scale or ctest; 4 when the machine lacks something this script cannot install.
TEXT
}

say() { printf '%s\n' "$*" >&2; }

# "45 s" or "4 min": a forecast has no finer grain.
duration() {
  if (($1 < 90)); then printf '%d s' "$1"; else printf '%d min' $((($1 + 30) / 60)); fi
}

# fail WHAT REMEDY: the last lines of the step's log, then the one thing to do.
fail() {
  if [[ -s $log ]]; then
    say "--- last lines of ${log#"$root"/}"
    tail -n 25 "$log" >&2
    say "---"
  fi
  say "setup.sh: $1"
  say "To do: $2"
  exit 4
}

# begin NAME SECONDS WORDS...: opens step NAME with its log and says how long it and all the rest may take.
begin() {
  local name=$1 seconds=$2
  shift 2
  step=$((step + 1))
  log="$log_dir/$step-$name.log"
  : >"$log"
  if ((seconds == 0)); then
    say "[$step/$steps] $*"
    return
  fi
  say "[$step/$steps] $* ... (about $(duration "$seconds"), $(duration "$seconds_left") until ready)"
  seconds_left=$((seconds_left - seconds))
}

# --- 1 Debian packages --------------------------------------------------------------------------------------

# missing_packages NAMES...
missing_packages() {
  local name
  command -v dpkg-query >/dev/null || return 0
  for name in "$@"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || printf '%s ' "$name"
  done
}

# The words that make a command run as root, if there are any; fails when there is no way.
become_root() {
  if ((EUID == 0)); then return 0; fi
  command -v sudo >/dev/null && sudo -n true 2>/dev/null && printf 'sudo -n '
}

install_packages() {
  local missing=$1 as_root command answer="all there"
  if [[ -z $missing ]]; then
    command -v dpkg-query >/dev/null || answer="not a Debian machine, so PATH must offer them"
    begin packages 0 "Debian packages: $answer"
    return
  fi
  command="apt-get install -y --no-install-recommends ${missing% }"
  if ! as_root=$(become_root); then
    begin packages 0 "Debian packages: not root, so these stay missing: ${missing% }"
    say "      to install them: sudo $command"
    say "      going on with what PATH and CMAKE_PREFIX_PATH offer"
    return
  fi
  begin packages $seconds_packages "installing Debian packages: ${missing% }"
  # Word splitting is wanted: both are lists of plain words.
  # shellcheck disable=SC2086
  if ! { ${as_root}apt-get update || true # one source out of order is no obstacle if the others have it all
    ${as_root}env DEBIAN_FRONTEND=noninteractive $command; } >>"$log" 2>&1 </dev/null; then
    fail "Debian packages could not be installed." \
      "make this work, then call again: apt-get update && $command"
  fi
}

# Never a reason to stop: what they test is skipped without them.
install_test_packages() {
  local missing as_root
  missing=$(missing_packages "${test_packages[@]}")
  [[ -n $missing ]] && as_root=$(become_root) || return 0
  say "      installing for the tests: ${missing% }"
  # Word splitting is wanted: both are lists of plain words.
  # shellcheck disable=SC2086
  { ${as_root}apt-get update || true # as above
    ${as_root}env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >>"$log" 2>&1 </dev/null ||
    say "      they could not be installed (see ${log#"$root"/}); their tests will be skipped"
}

# --- 2 Python environment -----------------------------------------------------------------------------------

# A python that can make an environment and is new enough for the pinned versions; Debian's before any other,
# because its wheels and its python3-dev fit the compiler in use.
find_python() {
  local candidate candidates=(/usr/bin/python3 python3)
  [[ -z ${BENCH_SCALE_PYTHON:-} ]] || candidates=("$BENCH_SCALE_PYTHON")
  for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# What .venv was made of: it is remade when any of this changes (an environment cannot be moved).
venv_stamp() {
  printf '%s\n%s\n' "$root" "$("$1" -c 'import sys; print(sys.version)')"
  sha256sum <"$root/requirements.txt"
}

venv_is_current() {
  [[ -x $venv/bin/python && -f $venv/.stamp && $(<"$venv/.stamp") == "$(venv_stamp "$1")" ]]
}

# Only the requirements changed: add to what is there. Anything else: start afresh.
fill_venv() {
  local python=$1
  if [[ ! -x $venv/bin/python || ! -f $venv/.stamp ]] ||
    [[ $(head -n 2 "$venv/.stamp") != "$(venv_stamp "$python" | head -n 2)" ]]; then
    "$python" -m venv --clear "$venv" || return
  fi
  rm -f "$venv/.stamp"
  "$venv/bin/python" -m pip install --no-input --disable-pip-version-check --progress-bar off \
    -r "$root/requirements.txt" || return
  venv_stamp "$python" >"$venv/.stamp"
}

install_python() {
  local python=$1
  if [[ -n $python ]] && venv_is_current "$python"; then
    begin python 0 "Python environment .venv: up to date"
    return
  fi
  begin python $seconds_python "filling .venv with Open MPI, LibTorch and the readers"
  if [[ -n $python ]] && follow python fill_venv "$python"; then return; fi
  if command -v "${MPICXX:-mpicxx}" >/dev/null; then
    say "      .venv could not be made (see ${log#"$root"/})"
    say "      going on with $(command -v mpicxx) and without LibTorch"
    return
  fi
  [[ -n $python ]] || fail "no python3 (3.11 or newer) with venv and no mpicxx." \
    "install python3-venv, or load an MPI module, then call again"
  fail ".venv could not be filled and there is no mpicxx on PATH." \
    "check the network and pip's settings (or load an MPI module), then call again"
}

# --- 3 and 4 configure and build ----------------------------------------------------------------------------

require_tools() {
  local tool
  for tool in "${CXX:-c++}" cmake ninja; do
    # CXX may carry arguments; its first word is the program.
    command -v "${tool%% *}" >/dev/null ||
      fail "$tool is missing." "sudo apt-get install g++ cmake ninja-build, or load modules that offer them"
  done
}

configure() {
  if [[ -f $build_dir/build.ninja ]]; then
    begin configure 0 "configured (ninja configures again by itself when a CMake file changed)"
    return
  fi
  begin configure $seconds_configure "configuring with the preset release"
  (cd "$root" && cmake --preset release) >>"$log" 2>&1 && return
  rm -rf "$build_dir/CMakeCache.txt" "$build_dir/CMakeFiles"
  local remedy="mend or install what the lines above name, then call again" missing
  missing=$(missing_packages "${packages[@]}")
  [[ -z $missing ]] || remedy="sudo apt-get install -y --no-install-recommends ${missing% }"
  fail "CMake could not configure." "$remedy"
}

# What a run needs, or all of it.
build_seconds() { if [[ $1 == run ]]; then printf '%d' "$seconds_build_program"; else printf '%d' "$seconds_build"; fi; }

build() {
  local seconds targets=()
  seconds=$(build_seconds "$1")
  [[ $1 != run ]] || targets=(--target bench_scale)
  [[ ! -x $build_dir/bin/bench_scale ]] || seconds=0
  begin build $seconds "building in build/release"
  follow build env NINJA_STATUS='[%f/%t] ' cmake --build "$build_dir" "${targets[@]}" ||
    fail "the build failed." "mend what the lines above name; the whole log is ${log#"$root"/}"
}

# follow KIND COMMAND...: runs COMMAND into the log and meanwhile says how far it is, every 2 s on a terminal
# and every 30 s in a file. The code is that of COMMAND.
follow() {
  local kind=$1 began=$SECONDS code=0 every=30 pid
  shift
  [[ ! -t 2 ]] || every=2
  set -m # its own process group: Ctrl-C then ends the compilers too
  "$@" >>"$log" 2>&1 </dev/null &
  pid=$!
  set +m
  trap 'kill -TERM -- "-$pid" 2>/dev/null; exit 130' INT TERM
  local next=$((SECONDS + every))
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    ((SECONDS >= next)) || continue
    next=$((SECONDS + every))
    report_progress "$kind" $((SECONDS - began))
  done
  wait "$pid" || code=$?
  trap - INT TERM
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  return $code
}

# One line from the end of the log: ninja's [done/all] gives a forecast; pip's last words stand for
# themselves.
report_progress() {
  local kind=$1 elapsed=$2 last words
  last=$(tail -n 1 "$log" | cut -c1-90)
  words=$(printf '%d:%02d  %s' $((elapsed / 60)) $((elapsed % 60)) "$last")
  if [[ $kind == build && $last =~ ^\[([0-9]+)/([0-9]+)\] ]] && ((BASH_REMATCH[1] > 0)); then
    local finished=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
    words="$finished of $all files, about $(duration $((elapsed * (all - finished) / finished))) left"
  fi
  if [[ -t 2 ]]; then printf '\r\033[K      %s' "$words" >&2; else say "      $words"; fi
}

# --- the whole ----------------------------------------------------------------------------------------------

# forecast VERB MISSING PYTHON: adds up what is not there yet, so that the first line already tells how long the whole will take.
forecast() {
  local missing=$2 python=$3
  if [[ -n $missing ]] && become_root >/dev/null; then seconds_left=$((seconds_left + seconds_packages)); fi
  if [[ -z $python ]] || ! venv_is_current "$python"; then seconds_left=$((seconds_left + seconds_python)); fi
  [[ -f $build_dir/build.ninja ]] || seconds_left=$((seconds_left + seconds_configure))
  [[ -x $build_dir/bin/bench_scale ]] || seconds_left=$((seconds_left + $(build_seconds "$1")))
}

# set_up VERB: steps 1 to 4. A second call waits here until the first is through: two pips in one .venv would spoil it.
set_up() {
  local missing python
  mkdir -p "$log_dir"
  exec 9>"$log_dir/lock"
  if ! flock -n 9; then
    say "another ./setup.sh is at work here; waiting for it"
    flock 9
  fi
  missing=$(missing_packages "${packages[@]}")
  python=$(find_python) || python=
  forecast "$1" "$missing" "$python"
  install_packages "$missing"
  [[ $1 != test ]] || install_test_packages
  [[ -n $python ]] || python=$(find_python) || python=
  require_tools
  install_python "$python"
  configure
  build "$1"
  exec 9>&-
}

# Cores this process may use, hardware threads not counted: what Open MPI counts as slots.
physical_cores() {
  local cores
  cores=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l) || cores=0
  if ((cores == 0 || cores > $(nproc))); then cores=$(nproc); fi
  printf '%d' "$cores"
}

run_program() {
  local launcher flags=()
  launcher=$(sed -n 's/^MPIEXEC_EXECUTABLE:[^=]*=//p' "$build_dir/CMakeCache.txt")
  if "$launcher" --version 2>/dev/null | grep -qiE 'open ?mpi|open-mpi'; then
    # Open MPI refuses both unless told: to start as root, and to start more ranks than cores.
    ((EUID != 0)) || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
      PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1
    (($(physical_cores) >= ranks)) || flags+=(--oversubscribe)
  fi
  say "[$steps/$steps] mpirun -np $ranks bench_scale $* (set up in $(duration "$SECONDS"))"
  exec "$launcher" "${flags[@]}" -np "$ranks" "$build_dir/bin/bench_scale" "$@"
}

run_tests() {
  say "[$steps/$steps] ctest $* (set up in $(duration "$SECONDS"))"
  cd "$root"
  export CTEST_PARALLEL_LEVEL=${CTEST_PARALLEL_LEVEL:-$(nproc)}
  exec ctest --preset release "$@"
}

make_bundle() {
  begin bundle 0 "a folder that runs elsewhere: $1"
  cmake --install "$build_dir" --prefix "$(realpath -m -- "$1")" >>"$log" 2>&1 || fail "the bundle could not be made." "mend what the lines above name"
  say "ready in $(duration "$SECONDS"): $1/bin/bench_scale ($(du -sh -- "$1" | cut -f1))"
}

main() {
  local verb=${1:---help}
  shift || true
  # Open MPI looks for its settings below HOME and does not start without one.
  export HOME=${HOME:-$root/build}
  case $verb in
    run | test | build) ;;
    bundle)
      [[ $# == 1 ]] || { say "setup.sh: bundle wants one folder." && exit 2; }
      ;;
    -h | --help | help) usage && exit 0 ;;
    *) say "setup.sh: unknown verb '$verb'; known are run, test, build, bundle and --help." && exit 2 ;;
  esac
  if [[ ! $ranks =~ ^[1-9][0-9]*$ ]]; then
    say "setup.sh: BENCH_SCALE_NP=$ranks: must be a number of ranks, 1 or more."
    exit 2
  fi
  [[ $verb != build ]] || steps=4
  set_up "$verb"
  case $verb in
    run) run_program "$@" ;;
    test) run_tests "$@" ;;
    bundle) make_bundle "$1" ;;
    build) say "ready in $(duration "$SECONDS"): build/release/bin/bench_scale" ;;
  esac
}

main "$@"
