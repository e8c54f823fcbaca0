#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compiler launcher of Hopper's kernels: COMMAND ARGUMENTS..., and fails when ptxas says that it serialises a warpgroup's products or ignores a
# change of registers. It says so as information, which no flag makes an error; the kernel would run, at a fraction of its speed.
# C7519 (a fence that ptxas adds itself) is let through, on stderr as all else.
said=$(mktemp) || exit 1
trap 'rm -f "$said"' EXIT
"$@" 2>"$said"
code=$?
cat "$said" >&2
if [ "$code" -eq 0 ] && grep -Eq 'C75(04|08|09|10|15)' "$said"; then
  while [ $# -gt 1 ]; do  # an object that is there would pass for built
    [ "$1" = -o ] && rm -f "$2"
    shift
  done
  echo "error: ptxas serialises products or ignores a change of registers (above)" >&2
  exit 1
fi
exit "$code"
