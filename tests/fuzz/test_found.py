"""Inputs that the fuzzer found once: each gives a right answer or a clear error now."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest
from fuzz_files import KINDS, VECTORS
from fuzz_loop import outcome
from fuzz_records import explained
from fuzz_targets import TARGETS

from textlrp.errors import UnknownNameError, unknown_name


def reviews(kind: str, content: bytes, how: int = 0) -> bytes:
    return bytes([KINDS.index(kind), how]) + content


def tar(*names: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
    return packed.getvalue()


def zip_with_a_broken_place() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), b"good 1 2\n")
    data = packed.getvalue()
    return data[data.index(b"PK\x01\x02") :]  # the table of contents points before the beginning of the file


def zip_of_a_file_without_a_name(content: bytes = b"good 1 2\n") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), content)
    data = bytearray(packed.getvalue())
    entry = data.index(b"PK\x01\x02")
    data[entry + 28] = 0  # the length of its name in the table of contents
    data[entry + 30] = 1  # what was its name is an extra field now
    return bytes(data)


FOUND: dict[str, tuple[str, bytes]] = {
    "a member of a tar without a name": ("loaders", reviews("tar", tar("."))),
    "a class whose name is no Unicode": ("loaders", reviews("tar", tar("\udcff/1.txt", "neg/1.txt"))),
    "UTF-16 without a byte order mark": ("loaders", reviews("jsonl", b"texa", 5)),
    "a line of JSON that is a number of ten thousand digits": ("loaders", reviews("jsonl", b"9" * 10_000)),
    "a file of JSON that is a number of ten thousand digits": ("loaders", reviews("json", b"9" * 10_000)),
    "a table of three thousand columns": ("loaders", reviews("csv", b"x," * 3_000 + b"\nx")),
    "a zip of vectors without a name": ("vectors", bytes([VECTORS.index("zip")]) + zip_of_a_file_without_a_name()),
    "a zip of reviews without a name": ("loaders", reviews("zip", zip_of_a_file_without_a_name())),
    "a zip of vectors that points before its beginning": ("vectors", bytes([VECTORS.index("zip")]) + zip_with_a_broken_place()),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_no_fault_any_more(name: str) -> None:
    target, data = FOUND[name]
    kind, trace = outcome(TARGETS[target], data)
    assert not kind, trace


def test_an_unknown_name_of_a_megabyte_makes_a_short_message_at_once() -> None:
    error = unknown_name("label", "x" * 1_000_000, [f"{'y' * 500}{number}" for number in range(10_000)])
    assert isinstance(error, UnknownNameError)
    assert len(str(error)) < 20_000


def test_an_explanation_of_any_bytes_is_sound() -> None:
    assert explained(b"\xff\x00<b>").text == "\udcff\x00<b>"
