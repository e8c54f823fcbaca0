# SPDX-License-Identifier: Apache-2.0
"""mamba_ssm's scans (state-spaces/mamba). Tensors are the ops' (kernels/scan/selective.hpp, ssd.hpp, update.hpp)."""
PACKAGE = "mamba_ssm"


class SelectiveScan:
    """selective_scan_fn: Mamba-1. Its tensors are (B, C, L) and (B, G, N, L), complex ones side by side along L, (B, G, N, 2 L), so ours are turned first; it starts from
    a zero state, and what h0 adds to the outputs, which are linear in it, is added afterwards, in fp64. Neither is timed."""

    def __init__(self, torch, tensors, settings):
        from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
        self.torch, self.fn = torch, selective_scan_fn
        self.complex = tensors["A"].dim() == 3
        number = torch.view_as_complex if self.complex else lambda tensor: tensor
        last = {name: tensors[name].transpose(1, 2).contiguous() for name in ("u", "delta", "z")}
        states = {name: number(tensors[name]) for name in ("A", "h0")}
        rows = tensors["A"].dim()  # of a constant B or C, as of A
        mixers = {name: number(tensors[name]) if tensors[name].dim() == rows else self.steps_last(tensors[name]) for name in ("B", "C")}
        self.t = {**tensors, **last, **states, **mixers}

    def steps_last(self, steps):
        if not self.complex:
            return steps.permute(0, 2, 3, 1).contiguous()
        return steps.permute(0, 2, 3, 1, 4).flatten(3).contiguous()

    def call(self):
        t = self.t
        return self.fn(t["u"], t["delta"], t["A"], t["B"], t["C"], D=t["D"], z=t["z"], delta_bias=t["delta_bias"], delta_softplus=True, return_last_state=True)

    def outputs(self, result):
        out, h_last = result
        y, h = self.of_start_state()
        h = h + h_last
        return {"out": (out.double() + y).transpose(1, 2), "h_last": self.torch.view_as_real(h) if self.complex else h}

    def wide_c(self, n):
        """C's state n of every channel and step, fp64: (C, 1), or (B, C, L)."""
        c = self.t["C"]
        if c.dim() == 2:
            return c[:, n, None].to(self.torch.complex128 if self.complex else self.torch.float64)
        c = c[:, :, n].double()
        if self.complex:
            c = self.torch.view_as_complex(c.unflatten(-1, (-1, 2)).contiguous())
        return c.repeat_interleave(self.t["u"].shape[1] // c.shape[1], dim=1)

    def of_start_state(self):
        """sum_n C_t[n] exp(A[n] sum d) h0[n] behind the gate, (B, C, L), of complex ones twice the real part, and exp(A sum d) h0 at the end, (B, C, N)."""
        torch, t = self.torch, self.t
        wide = torch.complex128 if self.complex else torch.float64
        sums = torch.nn.functional.softplus(t["delta"].double() + t["delta_bias"].double().unsqueeze(-1)).cumsum(-1)
        y = torch.zeros_like(sums)
        for n in range(t["A"].shape[1]):
            left = self.wide_c(n) * torch.exp(t["A"][:, n].to(wide).unsqueeze(-1) * sums) * t["h0"][:, :, n].to(wide).unsqueeze(-1)
            y += 2 * left.real if self.complex else left
        end = torch.exp(t["A"].to(wide) * sums[:, :, -1:]) * t["h0"].to(wide)
        return y * torch.nn.functional.silu(t["z"].double()), end


class ChunkScan:
    """mamba_chunk_scan_combined: Mamba-2. Its tensors are ours. The last state is not asked for: it is made of products whose operands are rounded to the inputs'
    type, which our tolerance of an fp32 state does not allow for."""

    def __init__(self, torch, tensors, settings):
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
        self.fn, self.t = mamba_chunk_scan_combined, tensors
        self.chunk = int(settings["chunk"])
        self.limit = (settings["dt_low"], settings["dt_high"])

    def call(self):
        t = self.t
        return self.fn(t["x"], t["dt"], t["A"], t["B"], t["C"], self.chunk, D=t["D"], z=t.get("z"), dt_bias=t["dt_bias"], initial_states=t["h0"],
                       dt_softplus=True, dt_limit=self.limit)

    def outputs(self, result):
        return {"out": result}


class StateUpdate:
    """selective_state_update: one token, in place. The state changes with every call; the checked one starts from h0. Tied parameters are views of stride 0, which
    it knows as one decay a head."""

    def __init__(self, torch, tensors, settings):
        from mamba_ssm.ops.triton.selective_state_update import selective_state_update
        self.fn = selective_state_update
        batch, heads, head_dim = tensors["x"].shape
        state = tensors["h0"].shape[-1]
        wide = {"dt": (batch, heads, head_dim), "A": (heads, head_dim, state), "D": (heads, head_dim), "dt_bias": (heads, head_dim)}
        self.t = {**tensors, **{name: tensors[name].expand(shape) for name, shape in wide.items()}}
        self.state = tensors["h0"].clone()

    def reset(self):
        self.state.copy_(self.t["h0"])

    def call(self):
        t = self.t
        return self.fn(self.state, t["x"], t["dt"], t["A"], t["B"], t["C"], D=t["D"], z=t["z"], dt_bias=t["dt_bias"], dt_softplus=True)

    def outputs(self, result):
        return {"out": result, "h_last": self.state}
