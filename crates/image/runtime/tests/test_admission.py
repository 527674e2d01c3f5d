"""Admission: turns are passed on whatever those who wait do. And what is counted of it."""

from __future__ import annotations

import asyncio

import pytest

from fargateer_runtime.admission import STUCK_AFTER, Admission
from fargateer_runtime.faults import Refused
from fargateer_runtime.metrics import Metrics


def test_a_slot_given_to_one_who_leaves_in_that_moment_goes_to_the_next():
    async def play():
        admission = Admission(1, 10)
        await admission.enter()
        leaver = asyncio.ensure_future(admission.enter())
        stayer = asyncio.ensure_future(admission.enter())
        await asyncio.sleep(0)
        admission.leave("first", 0.1)
        leaver.cancel()
        await asyncio.wait_for(stayer, 5)
        assert leaver.cancelled()
        assert (admission.running, admission.waiting) == (1, 0)
        admission.leave("stayer", 0.1)
        assert admission.running == 0

    asyncio.run(play())


def test_a_turn_given_to_one_who_leaves_in_that_moment_goes_to_the_next():
    async def play():
        admission = Admission(1, 10)
        order = []

        async def turn(name):
            async with admission.turn("s"):
                order.append(name)

        first = admission.turn("s")
        await first.__aenter__()
        leaver, stayer = (asyncio.ensure_future(turn(name)) for name in ("leaver", "stayer"))
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)
        leaver.cancel()
        await asyncio.wait_for(stayer, 5)
        assert order == ["stayer"]
        assert admission._sessions == {}

    asyncio.run(play())


def test_first_come_is_first_served():
    async def play():
        admission = Admission(1, 10)
        await admission.enter()
        order = []

        async def come(number):
            await admission.enter()
            order.append(number)
            admission.leave(number, 0.1)

        comers = [asyncio.ensure_future(come(number)) for number in range(5)]
        await asyncio.sleep(0)
        admission.leave("first", 0.1)
        await asyncio.gather(*comers)
        assert order == [0, 1, 2, 3, 4]

    asyncio.run(play())


def test_when_all_slots_are_held_by_abandoned_calls_for_long_the_task_is_stuck():
    async def play():
        admission = Admission(2, 10)
        now = asyncio.get_running_loop().time()
        for who in ("a", "b"):
            await admission.enter()
            assert not admission.stuck(now + 2 * STUCK_AFTER)
            admission.abandon(who)
        assert not admission.stuck(now)
        assert admission.stuck(now + 2 * STUCK_AFTER)
        admission.leave("a", 1.0)
        assert not admission.stuck(now + 2 * STUCK_AFTER)

    asyncio.run(play())


def test_large_counts_keep_every_digit():
    metrics = Metrics()
    metrics.used(123_456_789, 0)
    metrics.finished("/a", 'with "quotes"\n', 1234.5678)
    text = metrics.text()
    assert 'fargateer_agent_tokens_total{direction="input"} 123456789\n' in text
    assert 'outcome="with \\"quotes\\"\\n"} 1\n' in text
    assert "fargateer_agent_request_seconds_sum 1234.5678\n" in text


def test_who_waits_when_it_closes_is_refused():
    async def play():
        admission = Admission(1, 10)
        await admission.enter()
        waiter = asyncio.ensure_future(admission.enter())
        await asyncio.sleep(0)
        admission.close()
        with pytest.raises(Refused, match="stopping"):
            await waiter
        admission.leave("first", 0.1)
        with pytest.raises(Refused, match="stopping"):
            await admission.enter()
        assert (admission.running, admission.waiting) == (0, 0)

    asyncio.run(play())
