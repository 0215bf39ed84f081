"""TensorRT: a module that may be missing or too old, and its log as text."""

from __future__ import annotations

from typing import Any

from runtime.errors import EngineError

_OLDEST = 10  # the first with strongly typed networks from ONNX, Q/DQ and FP16 alike


def tensorrt_or_none() -> Any | None:
    """Return the ``tensorrt`` module, None where it is not installed; raises EngineError for one that is too old."""
    try:  # here, and not above: whether there is one is only known when somebody asks
        import tensorrt
    except ImportError:
        return None
    if int(tensorrt.__version__.split(".")[0]) < _OLDEST:
        raise EngineError(
            f"TensorRT {tensorrt.__version__} is too old: {_OLDEST} or newer is needed, which JetPack 6.1 brings"
        )
    return tensorrt


class TrtLog:
    """A logger for TensorRT that keeps what is said of errors: its calls return None and no reason."""

    def __init__(self, trt: Any) -> None:
        lines: list[str] = []
        severe = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

        class Logger(trt.ILogger):  # type: ignore[misc]  # the base is only known on a device
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                if severity in severe:
                    lines.append(message)

        self._lines = lines
        self.logger = Logger()

    def describe(self) -> str:
        """Return the errors so far, in one line."""
        return "; ".join(self._lines) or "it gives no reason"
