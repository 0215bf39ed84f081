"""An autopilot's clock, learnt from messages that were late by more or less."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.aircraft.clock_map import ClockMap

START_US = 700_000_000
MS = 1_000
S = 1_000_000


def errors_us(
    clock: ClockMap, boots_us: np.ndarray, *, offset_us: int, drift: float, delays_us: np.ndarray
) -> list[int]:
    """How much later a message is mapped than it was stamped, in the order of the stamps."""
    stamped = np.round(boots_us * (1 + drift)).astype(int) + offset_us
    return [
        clock.observe(int(boot), int(at + delay)) - int(at)
        for boot, at, delay in zip(boots_us // MS * MS, stamped, delays_us, strict=True)
    ]


@pytest.mark.parametrize("drift", [-50e-6, 0.0, 50e-6])
def test_jitter_of_a_serial_port_is_taken_out_within_two_milliseconds(drift: float) -> None:
    rng = np.random.default_rng(3)
    boots = np.arange(0, 300 * S, 20 * MS)
    delays = 4 * MS + rng.exponential(15 * MS, len(boots))
    wrong = errors_us(ClockMap(), boots, offset_us=START_US, drift=drift, delays_us=delays)
    settled = np.array(wrong[100:])
    assert np.abs(settled - 4 * MS).max() <= 2_500
    assert np.std(delays) > 10 * MS  # what arrival times alone would be wrong by


def test_a_stall_does_not_shift_what_was_held_up() -> None:
    """Half a second of messages comes at once: each is of its own time."""
    clock = ClockMap()
    boots = np.arange(0, 10 * S, 20 * MS)
    delays = np.full(len(boots), 5 * MS)
    delays[200:225] += np.arange(500, 0, -20) * MS
    wrong = errors_us(clock, boots, offset_us=START_US, drift=0.0, delays_us=delays)
    assert set(wrong) == {5 * MS}
    assert clock.restarts == 0


def test_a_reboot_begins_anew() -> None:
    clock = ClockMap()
    before = np.arange(100 * S, 130 * S, 20 * MS)
    errors_us(clock, before, offset_us=START_US, drift=0.0, delays_us=np.full(len(before), 5 * MS))
    again = np.arange(2 * S, 10 * S, 20 * MS)
    wrong = errors_us(clock, again, offset_us=START_US + 135 * S, drift=0.0, delays_us=np.full(len(again), 8 * MS))
    assert clock.restarts == 1
    assert set(wrong) == {8 * MS}


def test_messages_that_overtake_each_other_are_no_reboot() -> None:
    clock = ClockMap()
    assert clock.observe(10 * S, 20 * S) == 20 * S
    assert clock.observe(10 * S - 300 * MS, 20 * S + 1) == 20 * S - 300 * MS
    assert clock.restarts == 0


def test_a_wild_stamp_is_doubted_and_what_is_borne_out_is_believed() -> None:
    clock = ClockMap()
    for k in range(50):
        clock.observe(k * 20 * MS, START_US + k * 20 * MS)
    assert clock.observe(3_600 * S, START_US + S) == START_US + S
    assert clock.observe(S, START_US + S + 30 * MS) == START_US + S
    # All that came before had waited two seconds in a queue: now the queue is empty.
    mapped = [clock.observe(4 * S + k * 20 * MS, START_US + 2 * S + k * 20 * MS) for k in range(10)]
    assert mapped == [START_US + 2 * S + k * 20 * MS for k in range(10)]
    assert clock.to_local_us(4 * S, START_US + 3 * S) == START_US + 2 * S


def test_before_anything_is_learnt_a_message_is_of_its_arrival() -> None:
    assert ClockMap().to_local_us(5, 77) == 77


def test_a_stamp_of_the_future_is_of_its_arrival() -> None:
    clock = ClockMap()
    clock.observe(10 * S, 20 * S)
    assert clock.to_local_us(11 * S, 22 * S) == 21 * S
    assert clock.to_local_us(13 * S, 22 * S) == 22 * S


@given(st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 10**6)), max_size=60))
def test_no_stamp_is_ever_mapped_into_the_future(messages: list[tuple[int, int]]) -> None:
    clock, arrived_us = ClockMap(), START_US
    for boot_ms, step_us in messages:
        arrived_us += step_us
        assert clock.observe(boot_ms * MS, arrived_us) <= arrived_us
