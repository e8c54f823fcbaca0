# SPDX-License-Identifier: Apache-2.0
"""Runs one problem by a Python package on behalf of bench_scale: one JSON object a line on stdin, one back for each. docs/commands.md has the protocol.

A form (of_*.py) takes the problem's tensors by name and its settings, and has
  call()            what is timed; returns what the package does
  outputs(result)   the op's outputs by name, of call()'s result; not timed
  reset()           where it has one: undoes what earlier calls changed; not timed
"""
import ctypes
import importlib
import json
import math
import os
import signal
import statistics
import sys
import time
import traceback
from pathlib import Path

DTYPES = {"fp64": "float64", "fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
FLOOR_SAMPLES = 101  # odd: their median is one of them
CYCLES_PER_S = 2e9   # of a device, at the most
HELD_LONGER = 1.5    # a held stream waits this many times as long as queueing took before


class Unavailable(Exception):
    """The package is not here, or cannot work here."""


def end_with_parent():
    """On Linux: a parent that is killed cannot end this process by itself."""
    death_signal = 1  # PR_SET_PDEATHSIG
    getattr(ctypes.CDLL(None), "prctl", lambda *_: 0)(death_signal, signal.SIGKILL)


def device_of(torch, package: str, local_rank: int):
    """Ranks take the devices in turn. A package that works on the host says RUNS_ON_HOST."""
    if torch.cuda.is_available():
        return torch.device("cuda", local_rank % torch.cuda.device_count())
    if getattr(importlib.import_module(package), "RUNS_ON_HOST", False):
        return torch.device("cpu")
    raise Unavailable(f"{package} needs a CUDA device, and torch {torch.__version__} finds none")


class Problem:
    def __init__(self, request: dict):
        import torch
        self.torch = torch
        module, form = request["form"].split(".")
        module = importlib.import_module(module)
        importlib.import_module(module.PACKAGE)  # its absence comes first: that is what to mend
        self.device = device_of(torch, module.PACKAGE, request["local_rank"])
        self.on_device = self.device.type == "cuda"
        if self.on_device:
            torch.cuda.set_device(self.device)
        self.output_specs = request["outputs"]
        tensors = {spec["name"]: self.load(spec) for spec in request["inputs"]}
        settings = {name: float(value) for name, value in request["settings"].items()}
        self.form = getattr(module, form)(torch, tensors, settings)
        self.enqueue_s = 0.0  # of one call
        self.run(1)  # what it compiles it compiles now
        self.time(1)
        floor_s = statistics.median(self.time(0)["seconds"] for _ in range(FLOOR_SAMPLES))
        self.ready = {"floor_s": floor_s, "on_device": self.on_device}

    def load(self, spec: dict):
        data = bytearray(Path(spec["path"]).read_bytes())
        return self.torch.frombuffer(data, dtype=getattr(self.torch, DTYPES[spec["dtype"]])).reshape(spec["shape"]).to(self.device)

    def store(self, spec: dict, tensor) -> None:
        home = tensor.detach().to("cpu", getattr(self.torch, DTYPES[spec["dtype"]])).contiguous()
        if list(home.shape) != spec["shape"]:
            raise ValueError(f"{spec['name']} has shape {list(home.shape)}, not {spec['shape']}")
        Path(spec["path"]).write_bytes(ctypes.string_at(home.data_ptr(), home.numel() * home.element_size()))

    def run(self, calls: int) -> dict:
        """From the inputs as they were given."""
        if hasattr(self.form, "reset"):
            self.form.reset()
        for _ in range(calls):
            self.result = self.form.call()
        if self.on_device:
            self.torch.cuda.synchronize()
        return {}

    def time(self, calls: int) -> dict:
        """On a device by events, the stream held while the calls are queued; `held`: until all were."""
        if not self.on_device:
            begin = time.perf_counter()
            for _ in range(calls):
                self.form.call()
            return {"seconds": time.perf_counter() - begin, "held": True}
        cuda = self.torch.cuda
        begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        cuda.synchronize()
        cuda._sleep(int(CYCLES_PER_S * (1e-4 + HELD_LONGER * self.enqueue_s * calls)))
        begin.record()
        queueing = time.perf_counter()
        for _ in range(calls):
            self.form.call()
        queued_s = time.perf_counter() - queueing
        end.record()
        held = not begin.query()
        end.synchronize()
        if calls > 0:
            self.enqueue_s = max(self.enqueue_s, queued_s / calls)
        return {"seconds": begin.elapsed_time(end) / 1e3, "held": held, "enqueue_s": queued_s}

    def collect(self) -> dict:
        outputs = self.form.outputs(self.result)
        for spec in self.output_specs:
            self.store(spec, outputs[spec["name"]])
        return {}


def first_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def answer(state: dict, request: dict) -> dict:
    if request["do"] == "prepare":
        state["problem"] = Problem(request)
        return state["problem"].ready
    problem = state["problem"]
    if request["do"] == "collect":
        return problem.collect()
    return getattr(problem, {"run": "run", "time": "time"}[request["do"]])(request["calls"])


def guarded(state: dict, request: dict) -> dict:
    try:
        import torch
    except ImportError as error:
        return {"unavailable": first_line(error)}
    try:
        with torch.no_grad():
            return answer(state, request)
    except (Unavailable, ImportError) as error:
        return {"unavailable": str(error) if isinstance(error, Unavailable) else first_line(error)}
    except torch.cuda.OutOfMemoryError as error:
        return {"oom": first_line(error)}
    except Exception as error:
        traceback.print_exc()
        return {"error": first_line(error)}


def main() -> None:
    end_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a package prints is no answer
    state: dict = {}
    for line in sys.stdin:
        reply = guarded(state, json.loads(line))
        if not all(math.isfinite(value) for value in reply.values() if isinstance(value, float)):
            reply = {"error": f"not a number: {reply}"}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
