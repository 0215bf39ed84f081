"""Draws the house from its imports: ``docs/floor_plan.svg``.

    python docs/floor_plan.py            writes the drawing, and prints what it counted
    python docs/floor_plan.py --check    exit code 1 where the drawing is not of the house as it stands

A box is a room: a package with the lines of its modules. Modules that stand in no room are drawn as three: commands,
those that need some room, and those that need none. Rooms stand on floors: each above all that it imports, so arrows
run downwards. What runs through other rooms anyway is not drawn: an arrow from daemon to geo says nothing new beside
daemon -> locate -> geo.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DRAWING = Path(__file__).with_name("floor_plan.svg")
PACKAGES = ("train", "export", "calib", "runtime")
GROUND, BESIDE, COMMANDS = "(ground)", "(beside)", "(commands)"  # modules of a package that stand in no room

_BOX_W, _BOX_H, _GAP_X, _GAP_Y, _MARGIN = 128, 44, 18, 46, 28
_INK, _LINE, _FILL = (
    "#262626",
    "#8a8a8a",
    {"train": "#e8f1fa", "export": "#fdf0e3", "calib": "#eaf6ea", "runtime": "#f3eef8"},
)

Room = tuple[str, str]  # package, room


def modules() -> dict[str, Path]:
    """Every module of the four packages, by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def rooms(known: Mapping[str, Path]) -> dict[str, Room]:
    """The room of each module."""
    found: dict[str, Room] = {}
    for module in known:
        package, *rest = module.split(".")
        in_room = rest and known[f"{package}.{rest[0]}"].name == "__init__.py"
        runs = '__name__ == "__main__"' in known[module].read_text(encoding="utf-8")
        found[module] = package, rest[0] if in_room else COMMANDS if runs else GROUND
    changed = True
    while changed:  # a module beside a room lifts those that need it
        changed = False
        for module, (package, name) in found.items():
            needs = [found[other] for other in imports(known[module], known) if other.split(".")[0] == package]
            if name == GROUND and any(other[1] not in (GROUND, COMMANDS) for other in needs):
                found[module], changed = (package, BESIDE), True
    return found


def imports(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the house that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            names = (f"{node.module}.{name.name}" for name in node.names)
            yield from (name if name in known else str(node.module) for name in names)


def house() -> tuple[dict[Room, int], dict[Room, set[Room]]]:
    """The rooms with their lines of code, and which rooms each one imports, but for the lines of commands."""
    known = modules()
    room_of = rooms(known)
    lines: dict[Room, int] = defaultdict(int)
    arrows: dict[Room, set[Room]] = defaultdict(set)
    for module, path in known.items():
        room = room_of[module]
        lines[room] += len(path.read_text(encoding="utf-8").splitlines())
        if path.name != "__main__.py":  # a command's line reaches what its subcommands run, wherever that stands
            arrows[room] |= {room_of[other] for other in imports(path, known)} - {room}
    return dict(lines), {room: arrows[room] for room in lines}


def floors(arrows: Mapping[Room, set[Room]]) -> dict[Room, int]:
    """The floor of each room, 0 at the bottom: one above the highest that it imports; circles share one."""
    floor = dict.fromkeys(arrows, 0)
    for _ in arrows:
        for room, others in arrows.items():
            below = [floor[other] for other in others if room not in arrows[other]]
            floor[room] = max([floor[room], *(level + 1 for level in below)])
    return floor


def direct(arrows: Mapping[Room, set[Room]]) -> dict[Room, set[Room]]:
    """The arrows that no way through other rooms replaces."""

    def reach(room: Room, seen: set[Room]) -> set[Room]:
        for other in arrows[room] - seen:
            seen |= {other}
            seen |= reach(other, seen)
        return seen

    return {
        room: {
            other for other in others if not any(other in reach(way, {room, way}) - {way} for way in others - {other})
        }
        for room, others in arrows.items()
    }


def draw(lines: Mapping[Room, int], arrows: Mapping[Room, set[Room]]) -> str:
    """The drawing as SVG: the four packages side by side, floors of each from the bottom."""
    place, parts, x = {}, [], _MARGIN
    height = 0
    for package in PACKAGES:
        inner = {room: {o for o in others if o[0] == package} for room, others in arrows.items() if room[0] == package}
        floor = floors(inner)
        rows = [sorted(r for r in floor if floor[r] == level) for level in range(max(floor.values()) + 1)]
        width = max(len(row) for row in rows) * (_BOX_W + _GAP_X) - _GAP_X
        for level, row in enumerate(rows):
            start = x + (width - len(row) * (_BOX_W + _GAP_X) + _GAP_X) / 2
            for i, room in enumerate(row):
                place[room] = (start + i * (_BOX_W + _GAP_X), level)
        height = max(height, len(rows))
        total = sum(count for room, count in lines.items() if room[0] == package)
        parts.append(_text(x + width / 2, 22, f"{package}/  {total:,} lines", 15, weight="bold"))
        x += width + 2 * _MARGIN
    top = {room: 40 + (height - 1 - level) * (_BOX_H + _GAP_Y) for room, (_, level) in place.items()}
    for room, others in direct({r: {o for o in a if o[0] == r[0]} for r, a in arrows.items()}).items():
        for other in sorted(others):
            parts.append(
                _arrow(place[room][0] + _BOX_W / 2, top[room] + _BOX_H, place[other][0] + _BOX_W / 2, top[other])
            )
    for room, (left, _) in place.items():
        parts += _box(room, left, top[room], lines[room])
    size = f'width="{x - _MARGIN:.0f}" height="{50 + height * (_BOX_H + _GAP_Y) - _GAP_Y:.0f}"'
    marker = '<marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    arrowhead = f'<defs>{marker}<path d="M0 0L8 4L0 8z" fill="{_LINE}"/></marker></defs>'
    return "\n".join([head, arrowhead, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"


def _box(room: Room, x: float, y: float, lines: int) -> list[str]:
    package, name = room
    dash = ' stroke-dasharray="4 3"' if name in (GROUND, BESIDE, COMMANDS) else ""
    shape = f'<rect x="{x:.0f}" y="{y:.0f}" width="{_BOX_W}" height="{_BOX_H}" rx="6" fill="{_FILL[package]}"'
    return [
        f'{shape} stroke="{_INK}"{dash}/>',
        _text(x + _BOX_W / 2, y + 19, name if name in (GROUND, BESIDE, COMMANDS) else f"{name}/", 13),
        _text(x + _BOX_W / 2, y + 35, f"{lines:,} lines", 10),
    ]


def _text(x: float, y: float, text: str, size: int, weight: str = "normal") -> str:
    style = f'font-size="{size}" font-weight="{weight}" text-anchor="middle" fill="{_INK}"'
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{text}</text>'


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (y1 + y2) / 2
    curve = f"M{x1:.0f} {y1:.0f}C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} {x2:.0f} {y2 - 1:.0f}"
    return f'<path d="{curve}" fill="none" stroke="{_LINE}" marker-end="url(#a)"/>'


def main() -> int:
    """Write or check the drawing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where the drawing is an old one")
    args = parser.parse_args()
    lines, arrows = house()
    drawing = draw(lines, arrows)
    if args.check:
        return 0 if DRAWING.is_file() and DRAWING.read_text(encoding="utf-8") == drawing else 1
    DRAWING.write_text(drawing, encoding="utf-8")
    for package in PACKAGES:
        own = [room for room in lines if room[0] == package]
        inner = sum(other[0] == package for room in own for other in arrows[room])
        level = max(floors({r: {o for o in arrows[r] if o[0] == package} for r in own}).values()) + 1
        print(f"{package:<8} {len(own):2} rooms  {inner:2} arrows  {level} floors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
