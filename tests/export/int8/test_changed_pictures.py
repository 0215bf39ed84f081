from __future__ import annotations

from export.graphs.drawn_ground import land_like
from export.int8.changed_pictures import changed_set
from tests.export.toy import SIDE_PX

LARGE = 10**12  # multiply-accumulates of a network whose set is kept small


def test_a_set_has_thousands_of_queries_for_a_small_network_and_each_is_the_same_however_it_is_asked_for() -> None:
    pictures = land_like(4, SIDE_PX, SIDE_PX)
    small, large = (changed_set(pictures, pictures, macs) for macs in (150_000_000, LARGE))
    assert (len(small.queries), len(large.queries)) == (4096, 512)
    assert (small.queries[4000:4004] == small.queries[3990:4010][10:14]).all()
    assert (small.queries[0:1] != small.queries[4:5]).any()  # of one picture, changed in two ways
    assert (small.right.argmax(axis=1)[:6] == [0, 1, 2, 3, 0, 1]).all()
