"""Memory and garbage: what is put off is put on again, and what was decided elsewhere stays so."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from textlrp.errors import InputError
from textlrp.garbage import uncollected
from textlrp.memory import bound_kernels, give_back, keep_freed_memory


def test_collection_goes_on_after_the_last_of_nested_blocks() -> None:
    with uncollected():
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collection_goes_on_after_an_error() -> None:
    with pytest.raises(ValueError, match="stop"), uncollected():
        raise ValueError("stop")
    assert gc.isenabled()


def test_collection_that_somebody_else_put_off_stays_so() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux is told")
def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    code = """
import resource, sys, torch
from textlrp.memory import keep_freed_memory
known = sys.argv[1] == "keep" and keep_freed_memory(512)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    parts = [torch.ones(12_000_000) for _ in range(4)]
    del parts
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
rounds = [faults() for _ in range(6)][2:]  # the first ones fill what is kept
print(known, min(rounds) if known else max(rounds))
"""

    def run(how: str) -> tuple[str, int]:
        found = subprocess.run([sys.executable, "-c", code, how], capture_output=True, text=True, check=True).stdout.split()
        return found[0], int(found[1])

    (known, kept), (_, given) = run("keep"), run("give")
    if known == "False":
        pytest.skip("this C library cannot be told")
    assert kept < given / 10


def test_it_may_be_asked_for_anywhere() -> None:
    assert keep_freed_memory() in (True, False)
    give_back()


def test_kernels_are_bounded_unless_somebody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    bound_kernels(32)
    bound_kernels(64)
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "32"


@pytest.mark.parametrize("megabytes", [0, -1, 2.5, True, "512"])
def test_what_is_no_number_of_megabytes_is_refused(megabytes: object) -> None:
    with pytest.raises(InputError, match="whole number of megabytes"):
        keep_freed_memory(megabytes)
