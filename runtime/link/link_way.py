"""The way of a link: what a person has to mend is an error of the settings, all else is tried again."""

from __future__ import annotations

from collections.abc import Callable

from runtime.errors import SettingsError
from runtime.ways.address import Address
from runtime.ways.trouble import NEVER_MENDS_ITSELF
from runtime.ways.way import Way, open_way


def open_link_way(address: Address, makes_sense: Callable[[bytes], bool] = lambda data: True) -> Way:
    """Open it; raises OSError where that may mend itself, SettingsError where it never will."""
    try:
        return open_way(address, makes_sense)
    except OSError as error:
        if error.errno not in NEVER_MENDS_ITSELF:
            raise
        raise SettingsError(f"[[link]] url {address}: {error.strerror}") from None
