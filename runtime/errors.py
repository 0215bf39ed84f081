"""What a user can do wrong, as one tree; each message says what is, what was expected and the mend.

SkyfixError
    SettingsError          a configuration file or a command's values
    FlightError            a recorded flight's folder or files
    CameraError            a camera's calibration file
    ImageryError           a map: no CRS, broken, nothing usable in it
    BundleError            an encoder or matcher bundle
        EngineError        what is to run a bundle's graph does not fit it or this machine, or computes something else
    CacheError             a tile cache
        CacheEngineError   the cache was built with another model than the loaded one
    DataError              training or calibration data
    TrainError             a training run
    ExportError            a graph that cannot be made
        GateError          a graph that was made and is not good enough
    MissingPackageError    an optional package that this command needs
"""

from __future__ import annotations


class SkyfixError(Exception):
    """Base of all errors that a command tells in one line on stderr, with exit code 1."""


class SettingsError(SkyfixError):
    """A configuration file or a command's values do not fit."""


class FlightError(SkyfixError):
    """A recorded flight is incomplete or says something impossible."""


class CameraError(SkyfixError):
    """A camera's calibration is missing or says something impossible."""


class ImageryError(SkyfixError):
    """A map cannot be read, has no place on Earth, or shows nothing."""


class BundleError(SkyfixError):
    """A bundle is incomplete, altered, or of a newer format."""


class EngineError(BundleError):
    """An inference engine does not fit its bundle or this machine, or computes something else."""


class CacheError(SkyfixError):
    """A tile cache is truncated, altered, or of a newer format."""


class CacheEngineError(CacheError):
    """The cache was built with another model than the loaded one."""


class DataError(SkyfixError):
    """Training or calibration data is missing, broken or laid out otherwise."""


class TrainError(SkyfixError):
    """A training run cannot go on."""


class ExportError(SkyfixError):
    """A graph cannot be made."""


class GateError(ExportError):
    """A graph was made and is not good enough."""


class MissingPackageError(SkyfixError):
    """An optional package that this command needs is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; this command needs it: pip install 'skyfix[{extra}]'")
