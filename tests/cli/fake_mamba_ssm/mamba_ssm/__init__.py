# SPDX-License-Identifier: Apache-2.0
"""Stands in for mamba_ssm in the end-to-end tests: its functions by their names and arguments, computed on the host from the formulas.

FAKE_MAMBA_SSM makes it misbehave, by the type of its first tensor: float32=crash,bfloat16=wrong. Ways to: wrong; crash, hang, throw or oom at the first
call, or at the n-th (crash@5)."""
import functools
import os
import signal
import time

import torch

RUNS_ON_HOST = True
calls = 0


def misbehave(what: str) -> None:
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        time.sleep(3600)
    if what == "throw":
        raise RuntimeError("planted: this shape is not supported\nand a second line")
    if what == "oom":
        raise torch.cuda.OutOfMemoryError("planted: out of memory")


def function(compute):
    """As it is, or as FAKE_MAMBA_SSM has it. What it prints must not disturb anybody."""

    @functools.wraps(compute)
    def called(*arguments, **named):
        global calls
        calls += 1
        print("mamba_ssm says something on stdout")
        dtype = str(arguments[0].dtype).removeprefix("torch.")
        what, _, at = dict(pair.split("=") for pair in os.environ.get("FAKE_MAMBA_SSM", "").split(",") if pair).get(dtype, "").partition("@")
        if calls == int(at or 1):
            misbehave(what)
        result = compute(*arguments, **named)
        if what == "wrong":
            (result[0] if isinstance(result, tuple) else result).view(-1)[0] += 0.25
        return result

    return called
