#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for mpirun: instead of ranks that measure it plays a finished run's journal into the folder, record by record.

As a launcher: player.py -np N PROGRAM run ... -o DIR [--resume] [--shard I/N]. Environment: PLAYER_JOURNAL is what is played, PLAYER_PAUSE_S
the time of a visit, PLAYER_DIE a list of "VISITS:CODE" - in its k-th try it plays so many visits and then ends with the code of the k-th item
(-9: by SIGKILL), without a last word in status.json; after the list it plays to the end. PLAYER_LAME_SHARD is a shard that never measures anything.
"""
import json
import os
import signal
import sys
import time
from pathlib import Path


def value(flag, default=None):
    return sys.argv[sys.argv.index(flag) + 1] if flag in sys.argv else default


def frame_record(line: str) -> dict:
    return json.loads(line)["record"]


def of_shard(record: dict) -> bool:
    if "--shard" not in sys.argv or record["kind"] not in ("start", "visit"):
        return True
    index, count = map(int, value("--shard").split("/"))
    case = record["case"] if record["kind"] == "start" else record["visit"]["case_id"]
    return int(case[:16], 16) % count == index


def main() -> int:
    folder = Path(value("-o"))
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line for line in Path(os.environ["PLAYER_JOURNAL"]).read_text().splitlines(keepends=True) if of_shard(frame_record(line))]
    journal = folder / "journal.jsonl"
    played = journal.read_text().count("\n") if journal.exists() else 0
    tries = folder / "tries"
    number = int(tries.read_text()) if tries.exists() else 0
    tries.write_text(str(number + 1))
    deaths = os.environ.get("PLAYER_DIE", "").split()
    if "--shard" in sys.argv and value("--shard").split("/")[0] == os.environ.get("PLAYER_LAME_SHARD"):
        deaths = ["0:137"] * 99
    allowed, code = map(int, deaths[number].split(":")) if number < len(deaths) else (1 << 30, 0)
    stop = []
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.append(True))

    def status(state):
        (folder / "status.json").write_text(json.dumps({"state": state, "done": 0, "total": 0}))

    print("arguments", *sys.argv[1:], file=sys.stderr)
    with journal.open("a") as out:
        for line in lines[played:]:
            is_visit = frame_record(line)["kind"] == "visit"
            if is_visit and allowed == 0:
                break
            if stop:
                status("stopped")
                return 75
            out.write(line)
            out.flush()
            if is_visit:
                allowed -= 1
                status("running")
                time.sleep(float(os.environ.get("PLAYER_PAUSE_S", "0")))
        else:
            status("finished")
            return code
    if code == -9:
        os.kill(os.getpid(), signal.SIGKILL)
    return code


if __name__ == "__main__":
    sys.exit(main())
