"""An entry of the command line becomes a source, and one that cannot is told with what was expected."""

from __future__ import annotations

import pytest

from runtime.errors import SkyfixError
from train.data.manifest import Choice
from train.data.open import Entry, open_sources
from train.data.view_spec import ViewSpec


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("overhead:a/b", Entry("overhead", "a/b")),
        ("overhead:a@home/b@0.3", Entry("overhead", "a@home/b", 0.3)),
        ("overhead:a@home/b", Entry("overhead", "a@home/b")),
        ("overhead:a@0.3*2.5", Entry("overhead", "a", 0.3, 2.5)),
        ("flight:a*0.5", Entry("flight", "a", None, 0.5)),
        ("world:3*2", Entry("world", "3", None, 2.0)),
    ],
)
def test_an_entry_says_kind_path_scale_and_weight(text: str, entry: Entry) -> None:
    assert Entry.parse(text) == entry


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("overhead:/nowhere", "no folder"),
        ("overhead:/nowhere.tif", "cannot be read as a map"),
        ("overhead:map.tif@0.3", "takes no @GSD"),
        ("pairs:/nowhere", "no folder"),
        ("flight:/nowhere", "is no flight"),
        ("flight:/nowhere@0.3", "takes no @GSD"),
        ("nonsense", "expected KIND:PATH"),
        ("overhead:.@zero", "no ground sample distance"),
        ("overhead:.*many", "no weight; expected a positive number"),
        ("overhead:.*0", "no weight"),
        ("world:none", "number of worlds"),
    ],
)
def test_data_that_is_not_there_is_told_with_what_was_expected(data: str, message: str) -> None:
    with pytest.raises(SkyfixError, match=message):
        open_sources([data], Choice("train"), ViewSpec())
