# SPDX-License-Identifier: Apache-2.0
"""fla's scans (fla-org/flash-linear-attention).

simple_gla is Mamba-2's recurrence with q = C, k = B, v = dt x and g = dt A, but not the ssd op: it has no softplus, limit, skip or gate, and takes B and C for
every head instead of every group, so a row of it would be of other work."""
PACKAGE = "fla"


class Recurrence:
    """chunk_hgrn: h_t = exp(g_t) h_{t-1} + x_t, for positive decays: g = log a is made first and not timed."""

    def __init__(self, torch, tensors, settings):
        from fla.ops.hgrn import chunk_hgrn
        self.fn, self.x, self.h0 = chunk_hgrn, tensors["b"], tensors["h0"]
        self.g = tensors["a"].log()

    def call(self):
        return self.fn(self.x, self.g, initial_state=self.h0, output_final_state=True)

    def outputs(self, result):
        return {"h": result[0], "h_last": result[1]}
