"""Bounds on work: what runs, what waits, how long; and work that nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from textlrp.server import answers
from textlrp.server.buckets import Buckets
from textlrp.server.jobs import Jobs
from textlrp.server.problems import Gone, Problem
from textlrp.server.shelf import Shelf

FOREVER = 30.0


class Gate:
    """Work that begins, and then waits until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        self.begun.release()
        assert self.open.wait(FOREVER)
        return self.count


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


def status_of(error: BaseException | int) -> int:
    return error.status if isinstance(error, Problem) else 200 if isinstance(error, int) else 0


def test_what_work_returns_and_raises_comes_back() -> None:
    async def story() -> None:
        jobs = Jobs(workers=1, queue=1, seconds=FOREVER)
        assert await jobs.run(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await jobs.run(lambda: 1 // 0)
        jobs.close()

    asyncio.run(story())


def test_no_more_runs_and_waits_than_there_is_room_for() -> None:
    async def story() -> None:
        jobs, gate = Jobs(workers=2, queue=3, seconds=FOREVER), Gate()
        tasks = [asyncio.create_task(jobs.run(gate)) for _ in range(9)]
        await until(lambda: sum(task.done() for task in tasks) == 4)
        assert gate.count == 2
        gate.open.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert sorted(map(status_of, found)) == [200] * 5 + [503] * 4
        assert await jobs.run(lambda: 1) == 1
        jobs.close()

    asyncio.run(story())


def test_over_time_a_request_is_answered_while_its_work_keeps_its_place() -> None:
    async def story() -> None:
        jobs, gate = Jobs(workers=1, queue=0, seconds=0.05), Gate()
        with pytest.raises(Problem) as late:
            await jobs.run(gate)
        with pytest.raises(Problem) as full:
            await jobs.run(lambda: 1)
        assert (late.value.status, "longer than the 0.05 seconds" in late.value.detail) == (503, True)
        assert (full.value.status, "waiting already" in full.value.detail) == (503, True)
        gate.open.set()
        await until(lambda: jobs._room._value == 1)
        assert await jobs.run(lambda: 1) == 1
        jobs.close()

    asyncio.run(story())


def test_work_that_waits_is_dropped_when_its_client_goes() -> None:
    async def story() -> None:
        jobs, gate, asked = Jobs(workers=1, queue=1, seconds=FOREVER), Gate(), []
        first = asyncio.create_task(jobs.run(gate))
        await until(lambda: gate.count == 1)
        with pytest.raises(Gone):
            await jobs.run(lambda: asked.append(1), asyncio.sleep(0.01))
        second = asyncio.create_task(jobs.run(lambda: 2))  # its place is free again
        gate.open.set()
        assert await asyncio.gather(first, second) == [1, 2]
        assert asked == []
        jobs.close()

    asyncio.run(story())


def test_buckets_are_bounded() -> None:
    buckets = Buckets(rate=1.0, burst=1, most=5, clock=lambda: 0.0)
    for i in range(100):
        assert buckets.take(f"client {i}") == 0
    assert len(buckets) == 5


def test_a_bucket_that_was_emptied_does_not_fill_by_asking() -> None:
    now = [0.0]
    buckets = Buckets(rate=1.0, burst=2, clock=lambda: now[0])
    allowed = 0
    for _ in range(100):
        allowed += not buckets.take("a")
        now[0] += 0.1
    assert 10 <= allowed <= 12


def test_a_model_is_loaded_once_however_many_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import textlrp.classifier as home

    loaded, load = [], home.load
    monkeypatch.setattr(home, "load", lambda name: loaded.append(name) or load(name))
    shelf = Shelf(["imdb-dense"])
    assert loaded == []
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: shelf.get("imdb-dense"), range(16)))
    assert len(loaded) == 1
    assert len(set(map(id, found))) == 1


def test_a_folder_is_called_by_its_last_part_and_never_tells_where_it_lies(tmp_path: Any) -> None:
    import textlrp

    for parent in ("one", "two"):
        textlrp.load("imdb-dense").save(tmp_path / parent / "mine", storage="int8")
    shelf = Shelf([str(tmp_path / "one" / "mine"), str(tmp_path / "two" / "mine"), str(tmp_path / "one" / "mine")])
    assert shelf.names == ("mine", "mine-2")
    assert shelf.get("mine-2").explain("good").model == "mine-2"
    assert str(tmp_path) not in str(shelf.about())


def test_a_model_that_has_broken_meanwhile_is_a_problem_without_its_path(tmp_path: Any, client_for: Any) -> None:
    import textlrp

    folder = tmp_path / "mine"
    textlrp.load("imdb-dense").save(folder, storage="int8")
    client = client_for(models=(str(folder), "imdb-dense"))
    (folder / "model.safetensors").write_bytes(b"broken")
    answer = client.post("/api/explain", json={"text": "x", "model": "mine"})
    assert (answer.status_code, str(tmp_path) in answer.text) == (503, False)
    assert client.post("/api/explain", json={"text": "x", "model": "imdb-dense"}).status_code == 200


def test_a_request_over_its_time_is_told_so(client_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr(answers, "_check", lambda *_: gate())
    client: TestClient = client_for(seconds=0.05)
    answer = client.post("/api/explain", json={"text": "x"})
    gate.open.set()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_explanations_made_at_once_are_those_made_one_by_one(client_for: Any) -> None:
    client: TestClient = client_for(models=("imdb-lstm",), workers=4, queue=64, seconds=60.0)
    texts = [f"A {'very ' * i}good film, number {i}, but the end is dull." for i in range(12)]

    def relevance(text: str) -> Any:
        return client.post("/api/explain", json={"text": text}).json()["explanation"]["relevance"]

    one_by_one = [relevance(text) for text in texts]
    with ThreadPoolExecutor(6) as pool:
        at_once = list(pool.map(relevance, texts))
    for one, other in zip(one_by_one, at_once, strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)
