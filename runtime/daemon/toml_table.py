"""A TOML file whose values are asked for by name and kind; what nobody asked for is refused with the nearest key."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_IN_WORDS = {str: "a text", bool: "true or false", int: "a whole number"}
_LARGEST = 1e15  # a whole number may be of any length, and no quantity here is
_SHOWN = 100  # characters of a wrong value


class TomlTable:
    """One table of a file, or the file itself; it remembers which keys were asked for."""

    def __init__(self, file: Path, title: str, tree: Mapping[str, Any]) -> None:
        """``title`` is how the table is written: ``[camera]``."""
        self._file, self.title, self._tree = file, title, tree
        self._asked: list[str] = []
        self._parts: list[TomlTable] = []
        self._instead = ""  # what stands in the file where this table was expected

    @classmethod
    def read(cls, file: Path, missing: str) -> TomlTable:
        """Read a file; raises SettingsError, which says ``missing`` where there is none."""
        try:
            return cls(file, "", tomllib.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise SettingsError(f"{file} is missing; {missing}") from None
        except OSError as error:
            raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError) as error:  # not TOML or not UTF-8; a number, or a nest, beyond all bounds
            raise SettingsError(f"{file} is not TOML: {error}") from None

    def part(self, name: str) -> TomlTable:
        """Return a table of this one, empty where the file has none."""
        found = self._get(name)
        if found is not None and not isinstance(found, dict):
            raise SettingsError(f"{self._file}: {name} must be a table, [{name}]")
        part = self._keep(TomlTable(self._file, f"[{name}]", found or {}))
        part._instead = "" if found is not None else self._written_instead(name)
        return part

    def parts(self, name: str) -> list[TomlTable]:
        """Return the tables of a list, ``[[name]]``."""
        found = self._get(name)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise SettingsError(f"{self._file}: {name} must be tables, each under [[{name}]]")
        return [self._keep(TomlTable(self._file, f"[[{name}]]", one)) for one in found]

    def _keep(self, part: TomlTable) -> TomlTable:
        self._parts.append(part)
        return part

    def _written_instead(self, key: str) -> str:
        """Return the word that stands there and looks like a key that is missing, or nothing."""
        near = difflib.get_close_matches(key, [other for other in self._tree if other not in self._asked], n=1)
        return near[0] if near else ""

    def _get(self, key: str) -> Any:
        self._asked.append(key)
        return self._tree.get(key)

    @property
    def written(self) -> bool:
        """Whether anything stands in it."""
        return bool(self._tree)

    def has(self, *keys: str) -> bool:
        """Tell whether any of the keys stands there."""
        return any(key in self._tree for key in keys)

    def require(self, *keys: str) -> None:
        """Raise SettingsError where any of the keys is missing."""
        missing = [key for key in keys if key not in self._tree]
        if missing:
            raise SettingsError(f"{self._file}: {self.title} lacks {' and '.join(missing)}; expected {', '.join(keys)}")

    def value(self, key: str, kind: type, default: Any) -> Any:
        """Return a value of a kind; raises SettingsError for another."""
        found = self._get(key)
        if found is None:
            return default
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise self.wrong(key, found, f"expected {_IN_WORDS[kind]}")
        if isinstance(found, str) and not (found.strip() and found.isprintable()):
            raise self.wrong(key, found, "expected a text that is not empty and has no control characters")
        return found

    def text(self, key: str) -> str:
        """Return a text that must be there."""
        found = self.value(key, str, None)
        if found is None:
            near = self._instead or self._written_instead(key)
            hint = f"; is {near} meant to be {self.title.strip('[]') if self._instead else key}?" if near else ""
            raise SettingsError(
                f"{self._file} lacks {key} in {self.title}{hint}; see python -m runtime.daemon --example"
            )
        return str(found)

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of texts."""
        found = self._get(key)
        if found is None:
            return default
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.wrong(key, found, 'expected a list of texts, ["A", "B"]')
        return tuple(found)

    def number(self, key: str, default: float, low: float = -math.inf, high: float = math.inf) -> float:
        """Return a finite number between two others."""
        found = self._get(key)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not -_LARGEST <= found <= _LARGEST:
            raise self.wrong(key, found, "expected a number")
        if not low <= found <= high:
            raise self.wrong(key, found, f"expected {low:g} to {high:g}")
        return float(found)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """Return a whole number between two others."""
        found = self.value(key, int, default)
        if not low <= found <= high:
            raise self.wrong(key, found, f"expected {low} to {high}")
        return int(found)

    def path_or_none(self, key: str) -> Path | None:
        """Return a path, relative to the file."""
        found = self.value(key, str, None)
        return None if found is None else self._file.parent / found

    def path(self, key: str) -> Path:
        """Return a path that must be there."""
        return self._file.parent / self.text(key)

    def wrong(self, key: str, found: object, expected: str) -> SettingsError:
        """Make the error of a value: key, value, what was expected."""
        written = str(found).lower() if isinstance(found, bool) else repr(found)
        shown = written if len(written) <= _SHOWN else f"{written[:_SHOWN]}..."
        return SettingsError(f"{self._file}: {self.title} {key} is {shown}, {expected}")

    def refuse_unknown(self) -> None:
        """Raise SettingsError for the first key that nobody asked for."""
        for key in self._tree:
            if key not in self._asked:
                known = sorted(set(self._asked))
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                there = f"known there: {', '.join(known)}" if self.title else f"known tables: {', '.join(known)}"
                raise SettingsError(f"{self._file}: {self.title} {key} is unknown; {hint}{there}".replace(":  ", ": "))
        for part in self._parts:
            part.refuse_unknown()
