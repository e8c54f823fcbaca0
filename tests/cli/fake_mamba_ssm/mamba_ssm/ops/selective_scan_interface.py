# SPDX-License-Identifier: Apache-2.0
import torch
from torch.nn.functional import silu, softplus

from mamba_ssm import function


def every_step(mixer, like, channels, steps):
    """B or C as (B, C, N, L): constant (C, N), or (B, G, N, L), where complex ones are side by side, (B, G, N, 2 L)."""
    if mixer.dim() == 2:
        return mixer[None, :, :, None].expand(-1, -1, -1, steps)
    mixer = mixer.float()
    if like.is_complex():
        mixer = torch.view_as_complex(mixer.unflatten(-1, (steps, 2)).contiguous())
    return mixer.repeat_interleave(channels // mixer.shape[1], dim=1)


@function
def selective_scan_fn(u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, return_last_state=False):
    """u, delta, z (B, C, L); A (C, N), real or complex; B, C (B, G, N, L) or (C, N); the state starts from zero."""
    into, out_of = (every_step(mixer, A, u.shape[1], u.shape[2]) for mixer in (B, C))
    d = delta.float() + delta_bias.unsqueeze(-1)
    d = softplus(d) if delta_softplus else d
    state = torch.zeros(u.shape[0], *A.shape, dtype=A.dtype)
    y = []
    for t in range(u.shape[2]):
        step = d[:, :, t, None]
        state = torch.exp(step * A) * state + step * u[:, :, t, None].float() * into[..., t]
        mixed = (state * out_of[..., t]).sum(-1)
        y.append(2 * mixed.real if A.is_complex() else mixed)
    out = (torch.stack(y, dim=-1) + D.unsqueeze(-1) * u.float()) * silu(z.float())
    return (out.to(u.dtype), state) if return_last_state else out.to(u.dtype)
