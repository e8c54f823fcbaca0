# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the sbatch scripts share; sourced, never run. Only what Slurm 22.05 knows is used, newer things are probed for (supports).
# Every fact of a site is a variable with a default:
#   BENCH_SCALE_ROOT         source or installation tree (default: the folder that sbatch was called in)
#   BENCH_SCALE_SCRIPTS      folder of this file (default: ROOT/slurm)
#   BENCH_SCALE_BIN          the program (default: ROOT/build/release/bin/bench_scale, else ROOT/bin, else PATH)
#   BENCH_SCALE_MODULES      modules to load first, separated by blanks
#   BENCH_SCALE_LAUNCHER     mpirun (default) or srun
#   BENCH_SCALE_MPIRUN       mpirun with its flags (default: ROOT/.venv/bin/mpirun, else PATH)
#   BENCH_SCALE_SRUN_MPI     plugin for srun (default: pmix)
#   BENCH_SCALE_OUTPUT_DIR   folder of the results (default: results/job_<id>); give an old one to continue it
#   BENCH_SCALE_REQUEUE      1 (default): requeue a job that was stopped early; 0: do not
#   BENCH_SCALE_MAX_REQUEUE  restarts at most (default: 20)
#   BENCH_DEADLINE_UNIX      stop before this second (default: the end of the allocation)

say() { printf 'bench_scale job: %s\n' "$*" >&2; }

# die CODE WORDS...
die() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

# How scontrol and squeue name this job; of an array the task, since the bare number can stand for all of them.
job_name() {
  if [[ -n ${SLURM_ARRAY_JOB_ID:-} ]]; then
    printf '%s_%s' "$SLURM_ARRAY_JOB_ID" "$SLURM_ARRAY_TASK_ID"
  else
    printf '%s' "${SLURM_JOB_ID:-0}"
  fi
}

# Ranks of the allocation. Slurm leaves SLURM_NTASKS out when only the number per node was asked for.
job_ranks() {
  local per_node=${SLURM_NTASKS_PER_NODE:-1}
  printf '%d' "${SLURM_NTASKS:-$((${SLURM_NNODES:-1} * per_node))}"
}

# supports FLAG: whether this srun knows it.
supports() { srun --help 2>/dev/null | grep -q -e "$1"; }

load_modules() {
  local name
  for name in ${BENCH_SCALE_MODULES:-}; do module load "$name"; done
}

# Sets root and program, with the site's modules loaded.
find_program() {
  root=${BENCH_SCALE_ROOT:-${SLURM_SUBMIT_DIR:-$PWD}}
  load_modules
  program=$(program_path) || die 4 "no program: build it (./setup.sh build), or set BENCH_SCALE_BIN or BENCH_SCALE_ROOT"
}

program_path() {
  local candidate
  for candidate in "${BENCH_SCALE_BIN:-}" "$root/build/release/bin/bench_scale" "$root/bin/bench_scale"; do
    if [[ -n $candidate && -x $candidate ]]; then
      printf '%s' "$candidate"
      return
    fi
    [[ -z ${BENCH_SCALE_BIN:-} ]] || return 1 # what was named must be it
  done
  command -v bench_scale
}

# Prints why srun cannot start MPI ranks here; nothing when it can. Ranks that do not find each other would be so many programs of one rank.
srun_obstacle() {
  local plugin=${BENCH_SCALE_SRUN_MPI:-pmix} known plan count
  count=$(job_ranks)
  known=$(srun --mpi=list 2>&1) || { printf 'srun --mpi=list failed: %s' "$known" && return; }
  grep -qw "$plugin" <<<"$known" || { printf 'this Slurm has no MPI plugin %s (srun --mpi=list)' "$plugin" && return; }
  if ! plan=$(timeout "${BENCH_SCALE_PROBE_S:-60}" srun --mpi="$plugin" --ntasks="$count" "$program" plan --study smoke --json 2>&1); then
    printf 'srun --mpi=%s cannot start the program: %s' "$plugin" "$(tail -n 3 <<<"$plan" | tr '\n' ' ')"
  elif ! grep -q "\"ranks\": $count," <<<"$plan" || (($(grep -c '"plan_sha256"' <<<"$plan") != 1)); then
    printf 'srun --mpi=%s starts %d separate programs instead of %d ranks: its PMIx and the one of this MPI do not fit' "$plugin" "$count" "$count"
  fi
}

# Sets the array `launcher`, to which the number of ranks and the program are added.
choose_launcher() {
  local obstacle flags=()
  if [[ ${BENCH_SCALE_LAUNCHER:-mpirun} == mpirun ]]; then
    read -r -a launcher <<<"${BENCH_SCALE_MPIRUN:-}"
    if ((${#launcher[@]} == 0)) && [[ -x $root/.venv/bin/mpirun ]]; then launcher=("$root/.venv/bin/mpirun"); fi
    if ((${#launcher[@]} == 0)); then launcher=(mpirun); fi
    command -v "${launcher[0]}" >/dev/null && return
    die 4 "${launcher[0]} is not there: set BENCH_SCALE_MPIRUN or BENCH_SCALE_MODULES, or try BENCH_SCALE_LAUNCHER=srun"
  fi
  [[ $BENCH_SCALE_LAUNCHER == srun ]] || die 2 "BENCH_SCALE_LAUNCHER='$BENCH_SCALE_LAUNCHER': allowed: mpirun, srun"
  obstacle=$(srun_obstacle)
  [[ -z $obstacle ]] || die 4 "$obstacle. BENCH_SCALE_LAUNCHER=mpirun starts ranks inside the allocation without it"
  # A step does not inherit --cpus-per-task since 22.05; a lost rank ends the step at once.
  [[ -z ${SLURM_CPUS_PER_TASK:-} ]] || flags+=("--cpus-per-task=$SLURM_CPUS_PER_TASK")
  if supports --oom-kill-step; then flags+=(--oom-kill-step=1); fi
  launcher=(srun "--mpi=${BENCH_SCALE_SRUN_MPI:-pmix}" --kill-on-bad-exit=1 "${flags[@]}")
}

# preflight FOLDER: everything that can be known to fail before the ranks are started. Sets root, program and launcher.
preflight() {
  local folder=$1 words
  find_program
  words=$("$program" --version 2>&1) || die 4 "$program does not start here: $words"
  if ! { mkdir -p "$folder" && : >"$folder/.writable"; } 2>/dev/null; then die 2 "the folder '$folder' cannot be written to"; fi
  rm -f "$folder/.writable"
  choose_launcher
  say "$words, $(job_ranks) ranks by ${launcher[*]}, into $folder"
}

# The end of the allocation, for an environment that does not tell it (Slurm before 23.02). Taken once; nothing when there is no end.
export_deadline() {
  local end
  [[ -z ${BENCH_DEADLINE_UNIX:-}${SLURM_JOB_END_TIME:-} ]] || return 0
  end=$(squeue -h -j "$(job_name)" -o %e 2>/dev/null | head -n 1) || return 0
  if end=$(date -d "$end" +%s 2>/dev/null); then export BENCH_DEADLINE_UNIX=$end; fi
}

# visits_in FOLDER: how many its journal holds. Visits that began and never ended are the supervisor's: it tries them again, and twice at most.
visits_in() {
  local count
  count=$(grep -c '"kind":"visit"' "$1/journal.jsonl" 2>/dev/null) || true # grep calls none at all a failure
  printf '%d' "${count:-0}"
}

# run_study FOLDER ARGUMENTS...: runs or continues the study under its supervisor; its code. Bash runs a trap only between commands, hence
# the wait; a trap interrupts it, hence the loop. Sets stopped_by to the signal that asked it to stop, if any.
run_study() {
  local folder=$1 code=0 child interrupted=1
  shift
  stopped_by=""
  "$program" launch local --supervise --np "$(job_ranks)" --mpirun "${launcher[*]}" -o "$folder" -- "$@" &
  child=$!
  trap 'interrupted=1 stopped_by=USR1; kill -USR1 "$child" 2>/dev/null || true' USR1
  trap 'interrupted=1 stopped_by=TERM; kill -TERM "$child" 2>/dev/null || true' TERM
  while ((interrupted)); do
    interrupted=0 code=0
    wait "$child" || code=$?
  done
  trap - USR1 TERM
  return $code
}

# finish CODE VISITS_BEFORE FOLDER: leaves with CODE. A study that was stopped early goes back into the queue, while it gets further.
finish() {
  local code=$1 before=$2 after
  after=$(visits_in "$3")
  ((code == 75)) || exit "$code"
  [[ $stopped_by != TERM ]] || die 75 "cancelled; submit again with BENCH_SCALE_OUTPUT_DIR='$3' to continue"
  [[ ${BENCH_SCALE_REQUEUE:-1} == 1 ]] || die 75 "stopped early; not requeued, as BENCH_SCALE_REQUEUE says"
  ((after > before)) || die 75 "stopped early and no visit further than before: not requeued"
  ((${SLURM_RESTART_COUNT:-0} < ${BENCH_SCALE_MAX_REQUEUE:-20})) || die 75 "stopped early; requeued ${SLURM_RESTART_COUNT} times already"
  say "stopped early after $((after - before)) visits; requeued"
  scontrol requeue "$(job_name)" || die 75 "scontrol requeue failed; submit again with BENCH_SCALE_OUTPUT_DIR='$3' to continue"
  sleep "${BENCH_SCALE_KILL_WAIT_S:-60}" # Slurm ends this script; one that leaves first may count as failed
  exit 75
}
