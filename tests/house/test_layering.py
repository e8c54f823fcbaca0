# SPDX-License-Identifier: Apache-2.0
"""Arrows run one way: greps every project include against the table of docs/architecture.md."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# room -> rooms it may include from. A room may always include itself; the table is the whole truth about arrows.
ARROWS = {
    "src/core": set(),
    "src/system": {"src/core"},
    "src/comm": {"src/core"},
    "src/device": {"src/core"},
    "kernels": {"src/core", "src/device"},
    "scaling": {"src/core", "kernels"},
    "analysis": {"src/core", "kernels", "scaling"},
    "jobs": {"src/core", "src/system", "src/comm", "src/device", "kernels", "scaling", "analysis"},
    "src/cli": {"src/core", "src/system", "src/comm", "src/device", "kernels", "scaling", "analysis", "jobs"},
}

# Libraries that only some rooms may know.
OWNERS = {
    "mpi.h": {"src/comm", "src/cli"},
    "hdf5.h": {"analysis"},
    "hdf5_hl.h": {"analysis"},
    "CLI/": {"src/cli"},
    "yaml-cpp/": {"scaling"},
    "hwloc.h": {"src/system"},
    "chrono": {"src/system", "src/comm", "src/cli", "jobs"},
}


def room_of(path: Path) -> str | None:
    text = path.relative_to(ROOT).as_posix()
    return next((room for room in ARROWS if text.startswith(room + "/")), None)


def sources():
    for room in ARROWS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in {".cpp", ".hpp", ".cu", ".cuh"}:
                yield path


def includes(path: Path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(2)


def test_project_includes_follow_the_arrows():
    wrong = []
    for path in sources():
        room = room_of(path)
        for number, name in includes(path):
            target = next((other for other in ARROWS if name.startswith(other + "/")), None)
            if target and target != room and target not in ARROWS[room]:
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {room} must not include {target}")
    assert not wrong, "\n".join(wrong)


def test_libraries_stay_in_the_rooms_that_own_them():
    wrong = []
    for path in sources():
        for number, name in includes(path):
            for library, rooms in OWNERS.items():
                if (name == library or (library.endswith("/") and name.startswith(library))) and room_of(path) not in rooms:
                    wrong.append(f"{path.relative_to(ROOT)}:{number}: {name} belongs to {sorted(rooms)}")
    assert not wrong, "\n".join(wrong)


def test_torch_is_included_only_by_files_that_say_so():
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, name in includes(path)
        if name.startswith(("torch/", "ATen/", "c10/")) and "torch" not in path.stem
    ]
    assert not wrong, "\n".join(wrong)


CUDA_HEADER = re.compile(r"cuda\w*\.h(pp)?$|cuda/|cub/|mma\.h$|cooperative_groups")


def test_cuda_is_included_only_by_files_that_say_so():
    """Everything else builds without it. The room's own headers stay free of CUDA's, so that its users need no CUDA to be read."""
    wrong = []
    for path in sources():
        own = room_of(path) == "src/device"
        says_so = path.stem.endswith("_cuda") or "nccl" in path.stem or path.suffix in {".cu", ".cuh"}
        for number, name in includes(path):
            if CUDA_HEADER.match(name):
                allowed = path.suffix != ".hpp" if own else says_so
            elif name.startswith("src/device/"):
                allowed = own or says_so
            else:
                continue
            if not allowed:
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {name}")
    assert not wrong, "\n".join(wrong)


def test_the_table_can_fail():
    assert "kernels" not in ARROWS["src/core"] and "jobs" not in ARROWS["scaling"]
    assert any(True for path in sources() for _ in includes(path)), "nothing was read: the check would pass on an empty tree"
