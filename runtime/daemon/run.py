"""The whole of a flight: opened, flown until it is told to end, closed; or only checked."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable

from runtime.clock import monotonic_us
from runtime.daemon.autopilot import Aircraft
from runtime.daemon.loop import Loop
from runtime.daemon.notify import ServiceManager
from runtime.daemon.opening import OpenFlight, open_links, opened
from runtime.daemon.settings import Settings
from runtime.daemon.signals import Signals
from runtime.daemon.ticker import Ticker
from runtime.errors import FlightError, SettingsError, SkyfixError
from runtime.fix import Fix
from runtime.link.fanout import Fanout
from runtime.link.link import Said
from runtime.locate.ground_view import unusable_telemetry

logger = logging.getLogger(__name__)

_DRAIN_S = 0.5
_FIRST_FRAME_US = 10_000_000
_TELEMETRY_US = 5_000_000  # it is asked for, and comes some seconds later


def run_daemon(settings: Settings) -> None:
    """Fly as the settings say until the source ends or a signal asks to; raises SkyfixError."""
    signals, manager = Signals(), ServiceManager(os.environ)
    with opened(settings, signals, os.environ) as flight:
        loop = _loop(flight, manager)
        signals.idle = lambda: _attend(settings, signals, flight, loop)
        ticker = _ticker(flight, loop)
        loop.fly(flight.stream, signals.ended)
        manager.stopping()
        if ticker is not None:
            ticker.stop()
        loop.outbox.drain(_DRAIN_S)
        states = [state for state in loop.outbox.states() if not state.is_unread]
        loop.outbox.close()
    passed_over, frames = flight.stream.passed_over(), loop.health.counts.total()
    logger.info("%s%s", loop.health, f"; {passed_over} frames passed over" if passed_over else "")
    for state in states:
        if flight.stream.is_lossless and not signals.is_ending and (state.trouble or state.overtaken):
            why = state.trouble or "it broke meanwhile"
            raise FlightError(f"{state.name} has {state.sent} of {frames} verdicts: {why}")
        if state.trouble:
            logger.warning("link: %s, %d verdicts sent, then: %s", state.name, state.sent, state.trouble)


def check_daemon(settings: Settings, say: Callable[[str], None]) -> None:
    """Open everything as a flight does, locate the first frame that comes, and end; raises SkyfixError."""
    signals = Signals()
    with opened(settings, signals, os.environ) as flight:
        if flight.aircraft is not None:
            say(f"telemetry: {_heard(flight.aircraft, signals)}")
        until_us = monotonic_us() + _FIRST_FRAME_US
        signals.idle = lambda: signals.end() if monotonic_us() > until_us else None
        for frame in flight.stream.frames:
            verdict = flight.localizer.step(frame)
            height, width = frame.picture.shape[:2]
            came = f"fix to {verdict.hpl_m:.0f} m" if isinstance(verdict, Fix) else f"no fix: {verdict.reason}"
            say(f"first frame: {frame.name or frame.t_us}, {width} x {height} pixels, {came}")
            break
        else:
            raise FlightError(f"{settings.camera.source.name}: no frame came in {_FIRST_FRAME_US * 1e-6:g} s")
        for state in flight.fanout.states():
            say(f"link: {state.name}, {'open' if state.is_open else state.trouble or 'not open yet'}")


def _heard(aircraft: Aircraft, signals: Signals) -> str:
    """Wait for what the first frame is located with; say what came in time."""
    until_us = monotonic_us() + _TELEMETRY_US
    while not signals.ended() and monotonic_us() < until_us:
        if unusable_telemetry(aircraft.at(monotonic_us())) not in ("no_altitude", "no_pitch"):
            return "attitude and altitude are heard"
        signals.sleep(0.1)
    return f"no attitude or no altitude is heard in {_TELEMETRY_US * 1e-6:g} s"


def _loop(flight: OpenFlight, manager: ServiceManager) -> Loop:
    loop = Loop(flight.localizer, flight.fanout, monotonic_us, manager=manager, keeper=flight.keeper)
    if flight.aircraft is not None:
        loop.watches, loop.starts = (flight.aircraft,), flight.take_start
    return loop


def _ticker(flight: OpenFlight, loop: Loop) -> Ticker | None:
    """Begin to send moments between frames, where a frame's time is known on this computer's clock."""
    if flight.stream.is_lossless:
        return None
    told = (lambda: (math.nan, math.nan)) if flight.aircraft is None else flight.aircraft.velocity_en_mps

    def send(said: Said) -> None:  # to the links as they are then
        loop.outbox.put(said)

    loop.ticker = Ticker(send, monotonic_us, told)
    loop.ticker.start()
    return loop.ticker


def _attend(settings: Settings, signals: Signals, flight: OpenFlight, loop: Loop) -> None:
    """Do what is due, also while no frame comes: say that we live, read the links again, notice that nobody reads."""
    loop.alive()
    if signals.reads_again():
        _read_links_again(settings, signals, flight, loop)
    if _nobody_reads(loop.outbox):
        signals.end()


def _read_links_again(settings: Settings, signals: Signals, flight: OpenFlight, loop: Loop) -> None:
    """Open the links of the configuration as it stands now; those of before where that one is wrong."""
    try:
        links = open_links(Settings.read(settings.file), flight.aircraft)
    except SkyfixError as error:
        logger.warning("%s is not read again: %s", settings.file, " ".join(str(error).split()))
        return
    loop.outbox.close()  # ports and files are to be free for the new ones
    lossless = flight.stream.is_lossless
    loop.outbox = Fanout(links, lossless=lossless, hurries=lambda: signals.is_ending)
    try:
        loop.outbox.start()
    except SettingsError as error:
        logger.warning("the links of before are opened again: %s", " ".join(str(error).split()))
        before = open_links(settings, flight.aircraft)
        loop.outbox = Fanout(before, lossless=lossless, hurries=lambda: signals.is_ending, is_patient=True)
        loop.outbox.start()
    logger.info("links: %s", ", ".join(state.name for state in loop.outbox.states()))


def _nobody_reads(fanout: Fanout) -> bool:
    """Tell whether all there was is standard output, and its reader has gone away (``| head``)."""
    return all(state.name == "jsonl -" and state.is_unread for state in fanout.states())
