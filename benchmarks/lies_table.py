"""What became of every lie, as a table for people.

    python benchmarks/lies_table.py OUTCOMES.jsonl ... > docs/lies.md

``OUTCOMES.jsonl`` is what ``benchmarks/lies.py --out`` wrote. Of each lie and flight: fixes of frames, and the worst
error of a fix in metres; wrong fixes, fixes outside their protection level and jumps stand behind, where there are any.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from lies import Outcome

from train.world.lies import LIES, TRUTHS

HEAD = """# What became of every lie

Of each lie that `benchmarks/lies.py` tells of a flight: fixes of frames, and the error of the worst fix in metres.
Behind it stands what must not be: wrong fixes (over 25 m off and outside the protection level), fixes outside the
protection level, jumps. No fix is the right answer to a lie; a fix that is right in spite of it is a better one.
Predictions are in `docs/log.md` (What no match says; Three accounts of a mount; Whose tilt is it?), the summary in
`docs/accuracy.md` (Lies). This file is written by `python benchmarks/lies_table.py OUTCOMES.jsonl ...`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outcomes", type=Path, nargs="+")
    args = parser.parse_args()
    found = [Outcome(**json.loads(line)) for path in args.outcomes for line in path.read_text().splitlines()]
    print("\n".join(table(found)))


def table(found: Sequence[Outcome]) -> Iterable[str]:
    """Return the lines: a row a lie, a column a flight, and the sums."""
    flights = list(dict.fromkeys(one.flight for one in found))
    yield HEAD
    yield "| lie | " + " | ".join(flights) + " |"
    yield "|---" * (len(flights) + 1) + "|"
    by = {(one.lie, one.flight): one for one in found}
    for lie in [*TRUTHS, *LIES]:
        cells = [cell(by[lie, flight]) if (lie, flight) in by else "" for flight in flights]
        if any(cells):
            yield f"| {lie} | " + " | ".join(cells) + " |"
    for other in sorted({one.lie for one in found} - {*TRUTHS, *LIES}):  # maps of other places
        yield f"| {other} | " + " | ".join(cell(by[other, f]) if (other, f) in by else "" for f in flights) + " |"
    lied = [one for one in found if one.lie not in TRUTHS]
    yield ""
    yield (
        f"{len(lied)} lies: {sum(one.frames for one in lied):,} frames, {sum(one.fixes for one in lied):,} fixes, "
        f"{sum(one.wrong for one in lied)} wrong, {sum(one.outside for one in lied)} outside their protection level, "
        f"{sum(one.jumps for one in found)} jumps."
    )


def cell(one: Outcome) -> str:
    """Return what became of one."""
    worst = "" if one.worst_m is None else f", {one.worst_m:.1f}"
    faults = {"wrong": one.wrong, "outside": one.outside, "jumps": one.jumps}
    bad = ", ".join(f"**{count} {what}**" for what, count in faults.items() if count)
    return f"{one.fixes}/{one.frames}{worst}" + (f"; {bad}" if bad else "")


if __name__ == "__main__":
    main()
