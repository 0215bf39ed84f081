"""A link that keeps what it is told."""

from __future__ import annotations

from runtime.link.link import Notice, Said


class Collecting:
    """Everything that was sent, in order."""

    name = "collecting"
    wants_carried = True

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.notices: list[Notice] = []

    def open(self) -> None:
        pass

    def send(self, said: Said) -> None:
        self.said.append(said)

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass
