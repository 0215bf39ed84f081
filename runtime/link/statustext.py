"""Lines for the pilot as STATUSTEXT (#253): fifty characters a piece, and never so many that they hide each other."""

from __future__ import annotations

from runtime.link.link import Notice, Severity

PIECE_CHARS = 50
MAX_PIECES = 4
REPEAT_AFTER_US = 10_000_000
GAP_US = 1_000_000
MAX_WAITING = 8

SEVERITIES: dict[Severity, int] = {"critical": 2, "warning": 4, "notice": 5, "info": 6}  # MAV_SEVERITY


def status_texts(notice: Notice, text_id: int) -> list[dict[str, int | bytes]]:
    """Return the fields of each piece of a notice; a text that fits in one has ``id`` 0, as the message has it.

    Ground stations know a text to be whole by a piece that is not full: one of just n times fifty gets an empty one.
    """
    raw = notice.text.encode("ascii", "replace")
    most = PIECE_CHARS * MAX_PIECES - 1
    if len(raw) > most:
        raw = raw[: most - 3] + b"..."
    if len(raw) <= PIECE_CHARS:
        return [{"severity": SEVERITIES[notice.severity], "text": raw, "id": 0, "chunk_seq": 0}]
    return [
        {
            "severity": SEVERITIES[notice.severity],
            "text": raw[start : start + PIECE_CHARS],
            "id": text_id,
            "chunk_seq": start // PIECE_CHARS,
        }
        for start in range(0, len(raw) + 1, PIECE_CHARS)
    ]


class NoticePace:
    """Holds notices back: one a second at most, the gravest first, and none again within ten seconds."""

    def __init__(self) -> None:
        self._waiting: list[Notice] = []
        self._told_us: dict[str, int] = {}
        self._last_us: int | None = None

    def offer(self, notice: Notice, now_us: int) -> None:
        """Take a notice; one that was just told, or waits already, is dropped."""
        self._told_us = {text: at_us for text, at_us in self._told_us.items() if now_us - at_us < REPEAT_AFTER_US}
        if notice.text in self._told_us or any(notice.text == other.text for other in self._waiting):
            return
        self._waiting.append(notice)
        self._waiting.sort(key=lambda other: SEVERITIES[other.severity])  # stable: first come, first told
        del self._waiting[MAX_WAITING:]

    def due(self, now_us: int) -> Notice | None:
        """Return the notice to be told now, or None."""
        if not self._waiting or (self._last_us is not None and now_us - self._last_us < GAP_US):
            return None
        notice = self._waiting.pop(0)
        self._last_us = self._told_us[notice.text] = now_us
        return notice
