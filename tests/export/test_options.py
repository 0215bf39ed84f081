"""The words that ``--help`` offers are those that the libraries know."""

from __future__ import annotations

from export.int8.ranges import CLIPS
from export.options import DEFAULT_RANGE_RULE, RANGE_RULES, Int8Choices


def test_every_rule_that_a_user_may_name_is_one_that_ranges_are_taken_by() -> None:
    assert tuple(CLIPS) == RANGE_RULES
    assert DEFAULT_RANGE_RULE in CLIPS and Int8Choices().rule == DEFAULT_RANGE_RULE
