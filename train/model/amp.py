"""Half precision where it pays, in the backbone's passes; losses, embeddings and weights are always float32."""

from __future__ import annotations

import torch
from torch.amp import GradScaler

from train.choices import AmpChoice


def amp_dtype(choice: AmpChoice, device: torch.device) -> torch.dtype | None:
    """Return the dtype of ``--amp``; ``auto`` is bf16 where a GPU has it in hardware, else fp16, and None on a CPU."""
    if choice == "auto":
        if device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[choice]


def grad_scaler(dtype: torch.dtype | None, device: torch.device) -> GradScaler:
    """Return a scaler of gradients for fp16, which cannot hold small ones; for all else one that does nothing."""
    return GradScaler(device.type, enabled=dtype == torch.float16)
