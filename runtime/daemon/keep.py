"""What the flight has taught, kept on disk once a second: a restart within a minute goes on instead of beginning anew.

Only the same boot has the same monotonic clock, and only the same map and encoder the same places. How far the drone
may have come meanwhile is the belief's own to say: it widens with the time, as between any two frames.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import SettingsError
from runtime.files import write_text_whole
from runtime.locate.state import FlightState
from runtime.tiles.cache import TileCache

logger = logging.getLogger(__name__)

FORMAT = 1
EVERY_US = 1_000_000
OLDEST_US = 60_000_000
"""An older state is not gone on from: a drone may have been carried to another field."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class FlightIdentity:
    """What a kept state belongs to: this boot's clock, this map, this encoder."""

    boot: str
    map_sha256: str
    encoder_sha256: str

    @classmethod
    def of(cls, cache: TileCache) -> FlightIdentity:
        """Return that of a flight over a map that begins now."""
        boot = _BOOT_ID.read_text().strip() if _BOOT_ID.is_file() else ""
        return cls(boot, cache.metadata.imagery.sha256, cache.metadata.encoder.sha256)


class StateKeeper:
    """Writes a flight's state to a file, and reads what the process before left there."""

    def __init__(self, path: Path, identity: FlightIdentity) -> None:
        self._path, self._identity = path, identity
        self._kept_us: int | None = None
        self._fails = False

    def kept(self, now_us: int) -> FlightState | None:
        """Read the state that the flight goes on from; None, with the reason in a line, where there is none.

        Never raises: a file that is no state, or another flight's, is a beginning like any other.
        """
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            if values["format"] != FORMAT:
                raise ValueError(f"its format is {values['format']}, expected {FORMAT}")
            identity = FlightIdentity(**values["identity"])
            age_us = now_us - int(values["kept_at_us"])
            if identity != self._identity:
                raise ValueError("it is of another boot, map or encoder")
            if not 0 <= age_us <= OLDEST_US:
                raise ValueError(f"it is {age_us * 1e-6:.0f} s old, and {OLDEST_US * 1e-6:.0f} s are the most")
            state = FlightState.from_json(values["state"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, ArithmeticError, RecursionError, SettingsError) as error:
            logger.info("the state kept in %s is not gone on from: %s", self._path, error)
            return None
        logger.info("going on from the state kept %.1f s ago in %s", age_us * 1e-6, self._path)
        return state

    def keep(self, state: FlightState, now_us: int) -> None:
        """Write the state if a second has passed since it was written. A full disk is told once, and flown on."""
        if self._kept_us is not None and now_us - self._kept_us < EVERY_US:
            return
        self._kept_us = now_us
        identity = self._identity
        values = {
            "format": FORMAT,
            "identity": {"boot": identity.boot, "map_sha256": identity.map_sha256,
                         "encoder_sha256": identity.encoder_sha256},
            "kept_at_us": now_us,
            "state": state.to_json(),
        }  # fmt: skip
        try:
            write_text_whole(self._path, json.dumps(values))
        except OSError as error:
            if not self._fails:
                logger.warning("the state cannot be kept in %s (%s): a restart begins anew", self._path, error.strerror)
            self._fails = True
        else:
            self._fails = False
