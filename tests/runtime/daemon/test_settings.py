"""``skyfix.toml``: what it may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.aircraft.gimbal import Mount
from runtime.daemon.example import EXAMPLE
from runtime.daemon.settings import Settings, TelemetrySettings
from runtime.errors import SettingsError
from runtime.link.opening import LinkSpec

TOLD = '\n[telemetry]\nsource = "mavlink:udpin:127.0.0.1:14550"\n'
LEAST = '[map]\ntiles = "a.tiles"\n[camera]\nsource = "frames"\ncalibration = "camera.yaml"\n'


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "skyfix.toml").write_text(text, encoding="utf-8")
    (tmp_path / "frames").mkdir(exist_ok=True)
    return Settings.read(tmp_path / "skyfix.toml")


def test_the_example_is_valid_also_with_all_its_choices_taken(tmp_path: Path) -> None:
    assert read(tmp_path, EXAMPLE).tiles == tmp_path / "town.tiles"
    either = "# realtime", "# gnss_before_take_off"  # each is one of two
    lines = [line.removeprefix("# ") for line in EXAMPLE.splitlines() if not line.startswith(either)]
    every = read(tmp_path, "\n".join(lines))
    assert every.camera.telemetry == tmp_path / "telemetry.csv"
    assert every.camera.mount == Mount(0.0, -90.0, 0.0)
    assert every.camera.source.options.exposure_delay_us == 30_000
    assert every.telemetry == TelemetrySettings("mavlink:udpin:127.0.0.1:14550", None)
    assert every.bundle == tmp_path / "my.bundle"
    assert every.matcher == tmp_path / "xfeat.bundle"
    assert every.links == (LinkSpec("jsonl", path="-"),)
    assert every.start == ((47.51, 8.23), 300.0)
    assert (every.camera.follow, every.camera.every_s, every.threads) == (True, 0.5, 2)


def test_what_is_left_out_has_a_default_and_an_absolute_path_stays(tmp_path: Path) -> None:
    least = read(tmp_path, LEAST.replace("a.tiles", "/maps/a.tiles"))
    assert least.tiles == Path("/maps/a.tiles")
    assert least.camera.source.address == str(tmp_path / "frames")
    assert (least.telemetry, least.camera.telemetry, least.bundle, least.matcher, least.start) == (None,) * 5
    assert (least.camera.follow, least.camera.realtime, least.threads) == (False, False, 0)
    assert least.links == (LinkSpec("jsonl", path="-"),)
    assert least.writes_to() == []


def test_links_are_as_many_as_there_are_and_their_files_lie_beside_the_configuration(tmp_path: Path) -> None:
    links = (
        '[[link]]\nkind = "mavlink"\nurl = "udpout:127.0.0.1:14551"\nmessages = ["GPS_INPUT"]\nsystem_id = 7\n'
        '[[link]]\nkind = "jsonl"\npath = "fixes.jsonl"\n[[link]]\nkind = "jsonl"\npath = "unix:/run/a.sock"\n'
    )
    settings = read(tmp_path, LEAST + links + '[state]\nfile = "kept.json"\n')
    assert [link.kind for link in settings.links] == ["mavlink", "jsonl", "jsonl"]
    assert settings.links[0] == LinkSpec("mavlink", url="udpout:127.0.0.1:14551", messages=("GPS_INPUT",), system_id=7)
    assert settings.writes_to() == [tmp_path / "fixes.jsonl", Path("/run/a.sock"), tmp_path / "kept.json"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks tiles in"),
        (LEAST.replace("source", "sauce"), "lacks source in"),
        (LEAST + "folow = true", "[camera] folow is unknown; did you mean follow? known there: calibration, every_s"),
        (LEAST + "[mapp]", "mapp is unknown; did you mean map? known tables: camera, link, map, model, start, state"),
        (LEAST + "[link]\nkind = 1", "link must be tables, each under [[link]]"),
        (LEAST + '[[link]]\nkind = "mavlnk"\nurl = "udpout:a:1"', "did you mean 'mavlink'"),
        (LEAST + '[[link]]\nkind = "mavlink"\nurl = "udp:a:1"', "url is 'udp:a:1'"),
        (LEAST + '[[link]]\nkind = "mavlink"\nurl = "udpout:a:1"\nmessages = "GPS_INPUT"', "a list of texts"),
        (LEAST + '[[link]]\nkind = "jsonl"', "path is missing"),
        (LEAST + '[[link]]\nkind = "jsonl"\npath = "-"\ncomponent_id = 300', "component_id is 300, expected 1 to 255"),
        (LEAST.replace('"frames"', '"csi:0"'), "is live and [telemetry] is missing"),
        (LEAST.replace('"frames"', '"none"'), "none is missing"),
        (LEAST.replace('"frames"', '"rstp://a/b"'), "did you mean rtsp"),
        (LEAST + "mount_pitch_deg = 300", "mount_pitch_deg is 300, expected -180 to 180"),
        (LEAST + "width_px = 640", "camera size 640 x 0"),
        ("height = 3\n" + LEAST, "height is unknown"),
        (LEAST + "follow = true\nrealtime = true", "choose one"),
        (LEAST.replace('[map]\ntiles = "a.tiles"', "map = 3"), "map must be a table"),
        (LEAST.replace('"a.tiles"', "3"), "tiles is 3, expected"),
        (LEAST + 'follow = "yes"', "follow is 'yes', expected"),
        (LEAST + "follow = 1", "follow is 1"),
        (LEAST + "every_s = true", "every_s is true, expected a number"),
        (LEAST + "every_s = nan", "every_s is nan"),
        (LEAST + "[model]\nthreads = 1.5", "threads is 1.5, expected a whole number"),
        (LEAST + "[model]\nthreads = true", "threads is true"),
        (LEAST + "[start]\nlat = 47.5\nlon = 8.2", "[start] lacks radius_m; expected lat, lon, radius_m"),
        (LEAST + "[start]\ngnss_before_take_off = true", "expected [telemetry], which tells it"),
        (
            LEAST + TOLD + "[start]\ngnss_before_take_off = true\nlat = 1\nlon = 1\nradius_m = 9",
            "expected one of the two",
        ),
        (LEAST + "[start]\nradius_m = 9", "[start] lacks lat and lon"),
        (LEAST + "[start]\nlat = 97.5\nlon = 8.2\nradius_m = 100", "lat 97.5"),
        (LEAST + "[start]\nlat = 47.5\nlon = 8.2\nradius_m = 0", "radius 0"),
        (LEAST + "[start", "is not TOML"),
        (LEAST.replace("tiles =", "tile ="), "lacks tiles in [map]; is tile meant to be tiles?"),
        (LEAST.replace("[camera]", "[camra]"), "lacks source in [camera]; is camra meant to be camera?"),
        (LEAST + '[[link]]\nkind = "mavlink"\nulr = "udpout:a:1"', "ulr is unknown; did you mean url?"),
        (LEAST.replace('"a.tiles"', '""'), "tiles is '', expected a text that is not empty"),
        (LEAST.replace('"frames"', '" "'), "source is ' ', expected a text that is not empty"),
        (LEAST.replace('"a.tiles"', r'"a\u0000b"'), "has no control characters"),
        (LEAST + "follow = 1", "expected true or false"),
        (LEAST + "mount_pitch_deg = 1" + "0" * 400, "mount_pitch_deg is 1000"),
        (LEAST + "fps = inf", "fps is inf, expected a number"),
        (LEAST + "[telemetry]\nsystem_id = 1", "lacks source in [telemetry]"),
        (LEAST + '[[link]]\nkind = "mavlink"\nurl = "udpout:a:1"\nmessages = ["gps_inptu"]', "did you mean GPS_INPUT"),
        (LEAST + '[[link]]\nkind = "mavlink"\nurl = "udpout:a..b:1"', "expected one of udpout:HOST:PORT"),
        (LEAST + '[[link]]\nkind = "msp"\nurl = "/dev/ttyS0:12345"', "no serial port has 12345 baud, expected 57600"),
        (LEAST + "every_s = " + "9" * 5_000, "is not TOML"),
        (LEAST + "every_s = " + "[" * 9_000, "is not TOML"),
    ],
)
def test_a_mistake_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        Settings.read(tmp_path)


def test_a_missing_file_says_where_an_example_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"runtime\.daemon --example"):
        Settings.read(tmp_path / "none.toml")
