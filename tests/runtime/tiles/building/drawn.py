"""What several tests of this room draw."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT


def build_like_toy_tiles(small_world: Path, bundle: Path, out: Path) -> list[str]:
    """Return the arguments that the cache ``toy_tiles`` was built with, for another ``out``."""
    return ["build", "--imagery", str(small_world / "map.tif"), "--bundle", str(bundle), "--out", str(out),
            "--footprints", "32", "45"]  # fmt: skip


def check_same(out: Path, wanted: Path) -> None:
    for suffix in (".tiles", ".mbtiles"):
        assert out.with_suffix(suffix).read_bytes() == wanted.with_suffix(suffix).read_bytes()
    assert sorted(path.name for path in out.parent.iterdir()) == [out.with_suffix(".mbtiles").name, out.name]


# Every step of a build ends in a rename. The first argument says before which of them the process kills itself.
KILLS_ITSELF = """
import os, signal, sys
from pathlib import Path
left, replace = int(sys.argv[1]), Path.replace
def counted(self, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = counted
from runtime.tiles.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


def run(arguments: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
