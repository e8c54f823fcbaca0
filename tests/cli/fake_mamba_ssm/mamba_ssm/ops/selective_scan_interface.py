# SPDX-License-Identifier: Apache-2.0
import torch
from torch.nn.functional import silu, softplus

from mamba_ssm import function


@function
def selective_scan_fn(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False):
    """u, delta, z (B, C, L); A (C, N); B, C (B, G, N, L); the state starts from zero."""
    share = u.shape[1] // B.shape[1]
    wide = [mixer.float().repeat_interleave(share, dim=1) for mixer in (B, C)]
    d = delta.float() + delta_bias.unsqueeze(-1)
    d = softplus(d) if delta_softplus else d
    state = torch.zeros(u.shape[0], *A.shape)
    y = []
    for t in range(u.shape[2]):
        step = d[:, :, t, None]
        state = torch.exp(step * A) * state + step * u[:, :, t, None].float() * wide[0][..., t]
        y.append((state * wide[1][..., t]).sum(-1))
    out = (torch.stack(y, dim=-1) + D.unsqueeze(-1) * u.float()) * silu(z.float())
    return (out.to(u.dtype), state) if return_last_state else out.to(u.dtype)
