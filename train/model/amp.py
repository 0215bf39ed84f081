"""Half precision where it pays: the backbone's passes; losses, embeddings and weights are always float32."""

from __future__ import annotations

import torch
from torch.amp import GradScaler


def amp_dtype(choice: str, device: torch.device) -> torch.dtype | None:
    """The dtype of ``--amp``; ``auto`` is bf16 where a GPU has it in hardware, else fp16, and nothing on a CPU."""
    if choice == "auto":
        if device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[choice]


def grad_scaler(dtype: torch.dtype | None, device: torch.device) -> GradScaler:
    """fp16 cannot hold small gradients and needs them scaled; for all else a scaler that does nothing."""
    return GradScaler(device.type, enabled=dtype == torch.float16)
