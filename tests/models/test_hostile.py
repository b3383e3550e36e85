"""Checkpoints that somebody made to do harm, or that an accident damaged: refused by name, without much memory."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from textlrp.errors import CheckpointError
from textlrp.models import checkpoint
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.text.vocabulary import Vocabulary

WEIGHTS = "model.safetensors"
REST = ("config.json", "vocabulary.json", "metrics.json", "README.md")


def sound(folder: Path) -> dict[str, bytes]:
    """The files of a sound checkpoint, written to `folder`."""
    vocabulary = Vocabulary(["film", "good", "bad"])
    config = make_config("lstm", vocabulary_size=5, classes=["bad", "good"], embedding_dim=4, units=3)
    checkpoint.save(folder, build(config), config, vocabulary)
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a sound checkpoint."""
    return sound(tmp_path_factory.mktemp("sound") / "m")


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def configured(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        values = json.loads(path.read_text())
        change(values)
        path.write_text(json.dumps(values))

    return damage


def weighted(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return damage


def headed(header: Any, *, length: int | None = None) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        text = json.dumps(header).encode() if not isinstance(header, bytes) else header
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text) if length is None else length) + text)

    return damage


def written(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def gone(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def half(name: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return damage


def linked(name: str) -> Callable[[Path], object]:
    """Put the file elsewhere, and a link to it in its place."""

    def damage(folder: Path) -> None:
        (folder / name).rename(folder.parent / "elsewhere")
        (folder / name).symlink_to(folder.parent / "elsewhere")

    return damage


def a_folder(name: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return damage


def pipe(folder: Path) -> None:
    (folder / "metrics.json").unlink()
    os.mkfifo(folder / "metrics.json")


def sparse(folder: Path) -> None:
    with open(folder / "vocabulary.json", "r+b") as file:
        file.truncate(50_000_000_000)


def foreign(folder: Path) -> None:
    (folder / "config.json").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def huge_number(folder: Path) -> None:
    text = (folder / "config.json").read_text().replace('"vocabulary_size": 5', '"vocabulary_size": ' + "9" * 10_000)
    (folder / "config.json").write_text(text)


def duplicated(folder: Path) -> None:
    values = json.loads((folder / "vocabulary.json").read_text())
    values["words"][3] = values["words"][2]
    (folder / "vocabulary.json").write_text(json.dumps(values))


DEEP = b"[" * 100_000 + b"]" * 100_000
HUGE = {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 2**62]}
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    **{f"no {name}": (gone(name), name.replace(".", r"\.")) for name in (WEIGHTS, *REST)},
    **{f"half of {name}": (half(name), name.replace(".", r"\.")) for name in (WEIGHTS, "config.json", "vocabulary.json")},
    "an empty weights file": (written(WEIGHTS, b""), "truncated"),
    "a pickle for weights": (written(WEIGHTS, b"\x80\x04\x95" + b"c" * 40), "truncated or not a safetensors file"),
    "a header of 2**60 bytes": (headed({}, length=2**60), "truncated or not"),
    "a deep header": (headed(DEEP), "no readable safetensors header"),
    "a header that is a list": (headed([1, 2]), "no readable safetensors header"),
    "a huge tensor": (headed({"embedding.weight": HUGE}), "has no tensor"),
    "a missing tensor": (
        weighted(lambda tensors: tensors.pop("head.output.bias")),
        "has no tensor 'head.output.bias'",
    ),
    "a tensor too many": (
        weighted(lambda tensors: tensors.update(more=torch.zeros(2))),
        "'more', which config.json does not know",
    ),
    "a wrong shape": (
        weighted(lambda tensors: tensors.update({"head.output.bias": torch.zeros(3)})),
        r"F32 \[3\]; config.json asks",
    ),
    "a wrong dtype": (weighted(lambda tensors: tensors.update({"head.output.bias": torch.zeros(2).long()})), "I64"),
    "NaN weights": (weighted(lambda tensors: tensors["embedding.weight"].fill_(float("nan"))), "NaN or infinite"),
    "infinite weights": (weighted(lambda tensors: tensors["lstm.bias_hh_l0"].fill_(float("inf"))), "NaN or infinite"),
    "deep JSON": (written("config.json", DEEP), "nested"),
    "deep metrics": (written("metrics.json", b'{"a":' + DEEP + b"}"), "nested"),
    "a list for metrics": (written("metrics.json", b"[]"), "must hold a JSON object"),
    "NaN in JSON": (written("metrics.json", b'{"a": NaN}'), "NaN is not a JSON number"),
    "a key twice": (written("metrics.json", b'{"a": 1, "a": 2}'), "the key .a. stands twice"),
    "not UTF-8": (written("config.json", b'{"format": "\xff"}'), "cannot be read as JSON"),
    "a huge number": (huge_number, "config.json"),
    "a foreign format": (configured(lambda values: values.update(format="bert")), "not the configuration of a textlrp model"),
    "a newer version": (configured(lambda values: values.update(version=99)), "install a newer textlrp"),
    "an unknown arch": (configured(lambda values: values["model"].update(arch="lstn")), "did you mean 'lstm'"),
    "an unknown field": (
        configured(lambda values: values["model"].update(vocabulary_file="../../etc/passwd")),
        "vocabulary_file",
    ),
    "an unknown storage": (configured(lambda values: values.update(storage="int9")), "did you mean 'int8'"),
    "a list for the storage": (configured(lambda values: values.update(storage=[[]])), "unknown storage"),
    "no model": (configured(lambda values: values.update(model=[])), "must be an object"),
    "huge units": (configured(lambda values: values["model"].update(units=8_192, layers=16)), "has no tensor|parameters"),
    "a huge vocabulary": (
        configured(lambda values: values["model"].update(vocabulary_size=10_000_000)),
        r"asks for F32 \[10000000",
    ),
    "a huge table": (
        configured(lambda values: values["model"].update(vocabulary_size=10_000_000, embedding_dim=4_096)),
        "parameters",
    ),
    "duplicate words": (duplicated, "vocabulary"),
    "a vocabulary of lists": (
        written("vocabulary.json", b'{"format":"textlrp vocabulary","version":1,"words":[' + b"[]," * 300_000 + b"[]]}"),
        "vocabulary",
    ),
    "a million lists for metrics": (written("metrics.json", b'{"a":[' + b"[]," * 1_000_000 + b"[]]}"), "lists and objects"),
    "a number beyond all floats": (written("metrics.json", b'{"a": 1e999}'), "1e999 is too large"),
    "true for the version": (configured(lambda values: values.update(version=True)), "format version 'True'"),
    "temperature 0": (configured(lambda values: values["model"].update(temperature=0)), "temperature must be a number"),
    "true for the temperature": (configured(lambda values: values["model"].update(temperature=True)), "temperature"),
    "1e999 for the temperature": (
        written("config.json", b'{"format":"textlrp-model","version":1,"model":{"arch":"gru","temperature":1e999}}'),
        "1e999 is too large",
    ),
    "true for a size": (configured(lambda values: values["model"].update(units=True)), "units must be a whole number"),
    "a fraction for a size": (configured(lambda values: values["model"].update(units=3.0)), "units must be a whole number"),
    "a huge max_tokens": (configured(lambda values: values["model"].update(max_tokens=10**30)), "max_tokens"),
    "a class name that cannot be printed": (
        configured(lambda values: values["model"].update(classes=["good", "\ud800"])),
        "valid Unicode",
    ),
    "two classes of one name": (configured(lambda values: values["model"].update(classes=["a", "a"])), "same name twice"),
    "a vocabulary too short": (
        written("vocabulary.json", b'{"format":"textlrp vocabulary","version":1,"words":["<pad>","<unk>"]}'),
        "2 words",
    ),
    "a sparse vocabulary": (sparse, "50,000,000,000 bytes"),
    **{f"a link in place of {name}": (linked(name), "not an ordinary file") for name in (WEIGHTS, *REST)},
    **{f"a folder in place of {name}": (a_folder(name), "not an ordinary file") for name in (WEIGHTS, *REST)},
    "a pipe": (pipe, "not an ordinary file"),
    "a pickle only": (foreign, "can run code"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_by_name_and_takes_no_memory(
    damage: str, whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = put(tmp_path / "m", whole)
    act, words = DAMAGES[damage]
    act(folder)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=words):
            checkpoint.load(folder)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint folder"):
        checkpoint.load(tmp_path / "nowhere")


def test_other_files_in_the_folder_are_left_alone(whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = put(tmp_path / "m", {**whole, "notes.txt": b"\xff", "old.pkl": b"\x80\x04."})
    assert checkpoint.load(folder).config.arch == "lstm"


def test_a_hostile_card_is_text_and_nothing_else(whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = put(tmp_path / "m", {**whole, "README.md": b"\xff<script>{{ 7*7 }}\x1b[31m"})
    assert checkpoint.load(folder).card == "\ufffd<script>{{ 7*7 }}\x1b[31m"


@given(data=st.data())
@settings(max_examples=150)
def test_any_flipped_bytes_give_a_checkpoint_or_a_clear_error(
    data: st.DataObject, whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = data.draw(st.sampled_from(sorted(whole)))
    content = bytearray(whole[name])
    for at in data.draw(st.lists(st.integers(0, min(len(content), 600) - 1), min_size=1, max_size=4)) if content else []:
        content[at] = data.draw(st.integers(0, 255))
    folder = put(tmp_path_factory.mktemp("fuzz") / "m", {**whole, name: bytes(content)})
    try:
        found = checkpoint.load(folder)
    except CheckpointError:
        return
    assert all(bool(torch.isfinite(weight).all()) for weight in found.module.parameters())


MEASURE = """
import importlib.util, resource, sys, tempfile
from pathlib import Path
spec = importlib.util.spec_from_file_location("hostile", sys.argv[1])
hostile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hostile)
files = hostile.sound(Path(tempfile.mkdtemp()) / "m")
hostile.checkpoint.load(hostile.put(Path(tempfile.mkdtemp()) / "m", files))
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for name, (act, _) in hostile.DAMAGES.items():
    folder = hostile.put(Path(tempfile.mkdtemp()) / "m", files)
    act(folder)
    try:
        hostile.checkpoint.load(folder)
    except hostile.CheckpointError:
        continue
    sys.exit(f"{name} was read")
print(len(hostile.DAMAGES), "refused")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's count of a process's memory")
def test_no_damage_takes_200_megabytes_of_any_kind_of_memory(tmp_path: Path) -> None:
    """Memory that torch or safetensors take for themselves counts here too."""
    command = [sys.executable, "-c", MEASURE, __file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stdout.strip()) == (0, f"{len(DAMAGES)} refused"), done.stderr[-2_000:]
