"""Sentences as a parser of others reads them."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.link.link import Velocity
from runtime.link.nmea import checksum, sentences
from tests.runtime.link.saying import nothing_said, said

pynmeagps = pytest.importorskip("pynmeagps")

ALL = ("GGA", "RMC", "VTG", "GST", "HDT")
NEW_YEAR = datetime(2026, 12, 31, 23, 59, 59, 996_000, tzinfo=timezone.utc)
NEW_YEAR_US = int(NEW_YEAR.timestamp()) * 1_000_000 + 996_000


def _read(data: bytes) -> dict[str, Any]:
    """Parse each line, checksums checked."""
    lines = data.split(b"\r\n")
    assert lines.pop() == b"" and all(len(line) <= 80 for line in lines)  # 82 with the line's end
    parsed = [pynmeagps.NMEAReader.parse(line + b"\r\n", validate=pynmeagps.VALCKSUM) for line in lines]
    return {message.msgID: message for message in parsed}


def test_each_sentence_says_what_was_said() -> None:
    read = _read(sentences(said(yaw_deg=359.996), NEW_YEAR_US, ALL))
    assert list(read) == list(ALL)
    gga, rmc, vtg, gst, hdt = read.values()
    for message in (gga, rmc):
        assert (message.lat, message.lon) == pytest.approx((47.5123457, 8.2345678), abs=1e-7)
        assert message.time == time(23, 59, 59, 990_000)  # not of the next day
    assert (gga.quality, gga.numSV, gga.HDOP, gga.alt, gga.sep) == (1, 10, 1.5, 612.5, "")
    assert (rmc.status, rmc.date, rmc.posMode) == ("A", date(2026, 12, 31), "A")
    assert rmc.spd == pytest.approx(5.0 * 3600 / 1852, abs=0.006)
    assert rmc.cog == vtg.cogt == pytest.approx(math.degrees(math.atan2(3, 4)), abs=0.006)
    assert vtg.sogk == pytest.approx(18.0, abs=0.006) and vtg.sogn == rmc.spd
    assert (gst.stdMajor, gst.stdMinor, gst.orient, gst.stdLat, gst.stdLong) == (3.0, 2.0, 0.0, 3.0, 2.0)
    assert hdt.headingT == 0.0


def test_no_fix_is_told_at_once_and_tells_no_place() -> None:
    for unfit in (nothing_said(), said(cov_en_m2=(1e5, 0.0, 1.0))):
        read = _read(sentences(unfit, NEW_YEAR_US, ALL))
        assert list(read) == ["GGA", "RMC", "VTG"]
        assert (read["GGA"].quality, read["GGA"].lat, read["RMC"].status, read["RMC"].lat) == (0, "", "V", "")
        assert (read["RMC"].posMode, read["VTG"].posMode) == ("N", "N")


def test_what_is_unknown_is_blank() -> None:
    read = _read(sentences(said(alt_msl_m=None, velocity=None), None, ALL))
    assert list(read) == ["GGA", "RMC", "VTG", "GST"]
    assert (read["GGA"].alt, read["GGA"].time, read["RMC"].spd, read["RMC"].cog, read["RMC"].date) == ("",) * 5
    assert (read["VTG"].cogt, read["VTG"].posMode) == ("", "N")


def test_the_checksum_is_the_published_one() -> None:
    assert checksum("GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,") == 0x47  # the textbook's line


@given(
    place=st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
    sigmas=st.tuples(st.floats(0.001, 60), st.floats(0.001, 60)),
    tilt=st.floats(-0.99, 0.99),
    speed=st.tuples(st.floats(-90, 90), st.floats(-90, 90)),
)
def test_any_place_is_read_back_and_no_sigma_is_better_than_ours(
    place: tuple[float, float], sigmas: tuple[float, float], tilt: float, speed: tuple[float, float]
) -> None:
    (lat, lon), (east, north) = place, sigmas
    cov = (east**2, tilt * east * north, north**2)
    told = said(lat=lat, lon=lon, cov_en_m2=cov, velocity=Velocity(*speed, 0.5), yaw_deg=speed[0])
    read = _read(sentences(told, NEW_YEAR_US, ALL))
    assert (read["GGA"].lat, read["GGA"].lon) == pytest.approx((lat, lon), abs=0.51e-5 / 60 + 1e-10)
    gst = read["GST"]
    assert north <= gst.stdLat + 1e-9 and east <= gst.stdLong + 1e-9
    assert gst.stdLat < north + 0.0101 and gst.stdLong < east + 0.0101
    assert max(east, north) <= gst.stdMajor + 1e-9 and min(gst.stdMajor, 199.0) - 0.011 <= 2.0 * read["GGA"].HDOP
    # the ellipse's axes and its bearing give our covariance again
    turn = math.radians(gst.orient)
    nn = (gst.stdMajor * math.cos(turn)) ** 2 + (gst.stdMinor * math.sin(turn)) ** 2
    assert nn == pytest.approx(north**2, rel=0.02, abs=0.02 * gst.stdMajor + 0.001)
