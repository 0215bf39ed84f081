"""Lines for the pilot: whole when put together again, and not so many that one hides another."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from runtime.link.link import Notice
from runtime.link.statustext import NoticePace, status_texts


@example(text="x" * 50)
@example(text="x" * 51)
@example(text="x" * 100)
@given(text=st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=199))
def test_pieces_make_the_text_again(text: str) -> None:
    pieces = status_texts(Notice("info", text), 7)
    assert b"".join(bytes(piece["text"]) for piece in pieces).decode() == text  # type: ignore[arg-type]
    assert [piece["chunk_seq"] for piece in pieces] == list(range(len(pieces)))
    assert {piece["id"] for piece in pieces} == ({0} if len(text) <= 50 else {7})
    assert len(text) <= 50 or len(bytes(pieces[-1]["text"])) < 50, "a reader waits for more"  # type: ignore[arg-type]


def test_a_very_long_text_is_cut_and_says_so() -> None:
    pieces = status_texts(Notice("critical", "grüezi " * 60), 1)
    text = b"".join(bytes(piece["text"]) for piece in pieces)  # type: ignore[arg-type]
    assert len(pieces) == 4 and text.startswith(b"gr?ezi") and text.endswith(b"...") and len(text) < 200
    assert pieces[0]["severity"] == 2


def test_notices_come_one_a_second_gravest_first_and_not_again_for_ten() -> None:
    pace = NoticePace()
    for severity, text in (("info", "a"), ("critical", "b"), ("info", "a")):
        pace.offer(Notice(severity, text), 0)  # type: ignore[arg-type]
    told = []
    for tenth in range(150):
        now_us = tenth * 100_000
        pace.offer(Notice("info", "a"), now_us)
        due = pace.due(now_us)
        if due:
            told.append((tenth / 10, due.text))
    assert told == [(0.0, "b"), (1.0, "a"), (11.0, "a")]
