"""Jetson modules and their peaks, as data; nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.model.manifest import Precision


@dataclass(frozen=True, slots=True)
class JetsonModule:
    """A Jetson with its peaks at the highest power mode, dense.

    FP32 is CUDA cores', two operations a core and clock.
    """

    name: str
    int8_tops: float  # 1e12 operations a second, two a multiply-accumulate
    fp16_tops: float
    fp32_tops: float
    memory_gb_s: float

    def tops(self, precision: Precision) -> float:
        """Return the peak of a precision, 1e12 operations a second."""
        peaks = {"int8": self.int8_tops, "fp16": self.fp16_tops, "fp32": self.fp32_tops}
        return peaks[precision]


MODULES: Mapping[str, JetsonModule] = {
    "orin-nano": JetsonModule("Orin Nano 8GB", 20, 10, 1.3, 68),
    "orin-nano-super": JetsonModule("Orin Nano Super", 33, 17, 2.1, 102),
    "orin-nx": JetsonModule("Orin NX 16GB", 30, 15, 1.9, 102),
    "agx-orin": JetsonModule("AGX Orin 64GB", 85, 42, 5.3, 205),
    "thor": JetsonModule("AGX Thor", 517, 258, 8.1, 273),
}
"""By the names that ``export.estimate --device`` takes."""

ESTIMATED_PRECISIONS: tuple[Precision, ...] = ("int8", "fp16", "fp32")
"""In the order of the table."""
