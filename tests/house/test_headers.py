# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, so that including one is enough."""
import json
import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["BENCH_SCALE_BUILD"])


def include_flags() -> list[str]:
    """The include folders that the real build uses: from the compile commands of the program's own files."""
    flags: list[str] = []
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        for i, word in enumerate(words):
            pair = [word] if word.startswith("-I") else [word, words[i + 1]] if word == "-isystem" else []
            if pair and " ".join(pair) not in {" ".join(p) for p in zip(flags[::2], flags[1::2])} | set(flags):
                flags += pair
    return flags


def compile_alone(header: Path, flags: list[str]) -> str:
    command = [os.environ.get("CXX", "g++"), "-std=c++20", "-fsyntax-only", "-x", "c++", "-w", *flags, str(header)]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{header.relative_to(ROOT)}:\n{done.stderr[:800]}"


def test_every_header_compiles_alone():
    headers = [h for room in ("src", "kernels", "scaling", "jobs", "analysis", "tests") for h in sorted((ROOT / room).rglob("*.hpp"))
               if "torch" not in h.stem]  # LibTorch's own headers take a minute each; their one user is compiled in the build
    assert headers
    flags = include_flags()
    with ThreadPoolExecutor(max_workers=2) as pool:
        failures = [text for text in pool.map(lambda h: compile_alone(h, flags), headers) if text]
    assert not failures, "\n".join(failures)
