"""A link whose verdicts are bytes of one kind, and to which nothing is answered."""

from __future__ import annotations

from collections.abc import Callable

from runtime.link.link import Notice, Said
from runtime.link.link_way import open_link_way
from runtime.link.wire import InOrder, UtcOfMonotonic
from runtime.ways.address import Address
from runtime.ways.way import Way


class BytePort:
    """What NMEA and MSP share: ten positions a second, in the order of their moments, what comes in thrown away.

    ``encode`` makes bytes of a verdict and of the UTC of its exposure in microseconds, None where that is unknown; no
    bytes where nothing is to be said.
    """

    def __init__(
        self,
        kind: str,
        address: Address,
        encode: Callable[[Said, int | None], bytes],
        *,
        utc: UtcOfMonotonic | None = None,
    ) -> None:
        self._kind = kind
        self._address = address
        self._encode = encode
        self._utc = utc or UtcOfMonotonic()
        self._way: Way | None = None
        self._order = InOrder()

    @property
    def name(self) -> str:
        """Say what it is, for people."""
        return f"{self._kind} {self._address}"

    @property
    def wants_carried(self) -> bool:
        """Whether moments between frames are sent, too: receivers of this kind are expected to speak often."""
        return True

    def open(self) -> None:
        """Open it, or open it anew. Raises OSError, SettingsError."""
        self.close()
        self._way = open_link_way(self._address)

    def send(self, said: Said) -> None:
        """Send a verdict, or that there is no fix."""
        if not self._order.passes(said):
            return
        data = self._encode(said, self._utc.at(said.exposed_at_us))
        if data:
            self._opened().write(data)

    def notify(self, notice: Notice) -> None:
        """Do nothing: the wire has no words."""

    def tick(self) -> None:
        """Throw away what came in, by which a closed connection shows itself and a new reader gets in."""
        self._opened().read()

    def close(self) -> None:
        """Close it; may be called twice."""
        if self._way is not None:
            self._way.close()
        self._way = None

    def _opened(self) -> Way:
        if self._way is None:
            raise OSError(f"{self.name} is not open")
        return self._way
