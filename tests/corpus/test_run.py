"""A run from source to shards: the same numbers as `explain_many`, nothing lost, nothing twice, whatever happens."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import textlrp
from textlrp.corpus import CorpusError, CorpusInterrupted, columns, explain_corpus, open_corpus, read
from textlrp.corpus.journal import Journal, locked
from textlrp.errors import DataError, InputError, UnknownNameError

Contents = Callable[[Path], dict[str, bytes]]
pytestmark = pytest.mark.usefixtures("here")


def stopping(texts: list[str], at: int, error: BaseException) -> Iterator[str]:
    """A source that breaks."""
    yield from texts[:at]
    raise error


def test_explanations_equal_those_of_explain_many(dense: Any, bundled_texts: list[str], tmp_path: Path) -> None:
    done = explain_corpus("imdb-dense", "bundled", tmp_path / "out")
    assert done[1:] == (250, 250, 0, done.tokens, 1, 0)
    expected = dense.explain_many(bundled_texts, target="margin")
    found = list(read(tmp_path / "out"))
    assert found == expected
    assert done.tokens == sum(len(e.tokens) for e in expected)


@pytest.mark.parametrize(
    ("model", "how"),
    [
        ("imdb-dense", {"target": "positive"}),
        ("imdb-lstm", {"rule": "gamma", "gates": "half"}),
        ("imdb-gru", {"target": 0}),
        ("imdb-cnn", {"target": "predicted"}),
    ],
)
def test_models_rules_gates_and_targets(model: str, how: dict[str, Any], bundled_texts: list[str], tmp_path: Path) -> None:
    torch.set_num_threads(1)
    texts = ["", *bundled_texts[:6], "   "]
    explain_corpus(model, texts, tmp_path / "out", **how)
    expected = textlrp.load(model).explain_many(texts, **{"target": "margin", **how})
    assert list(read(tmp_path / "out")) == expected


def test_small_shards_hold_the_same_numbers_up_to_rounding(dense: Any, bundled_texts: list[str], tmp_path: Path) -> None:
    explain_corpus("imdb-dense", "bundled", tmp_path / "out", shard_size=7, batch_size=3, limit=64)
    assert len(list((tmp_path / "out").glob("*.parquet"))) == 10
    for found, expected in zip(read(tmp_path / "out"), dense.explain_many(bundled_texts[:64], target="margin"), strict=True):
        assert found.tokens == expected.tokens
        np.testing.assert_allclose(found.relevance, expected.relevance, atol=1e-5)


def test_a_classifier_that_was_never_saved_and_many_classes(tmp_path: Path) -> None:
    texts, labels = ["good film", "bad film", "odd film"] * 8, ["good", "bad", "odd"] * 8
    classifier = textlrp.TextClassifier("dense", epochs=2, validation=0.25).fit(texts, labels)
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    explain_corpus(classifier, rows, tmp_path / "out")
    corpus = open_corpus(tmp_path / "out")
    assert corpus.target == "predicted"
    assert corpus.labels() == labels
    assert list(corpus) == classifier.explain_many(texts, target="predicted")


def test_numbers_of_a_float64_model_are_kept_whole(bundled_texts: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    classifier = textlrp.load("imdb-dense")
    classifier.module.double()
    monkeypatch.setattr("textlrp.classifier.load", lambda name: classifier)
    explain_corpus(classifier, bundled_texts[:5], tmp_path / "out")
    assert open_corpus(tmp_path / "out").manifest["shape"]["relevance"] == "float64"
    assert list(read(tmp_path / "out")) == classifier.explain_many(bundled_texts[:5], target="margin")


def test_after_a_stop_it_goes_on_and_ends_with_the_same_bytes(
    few: list[str], whole: Path, tmp_path: Path, contents: Contents
) -> None:
    for at, error in ((24, DataError("broken")), (33, KeyboardInterrupt()), (10, OSError("gone"))):
        with pytest.raises((DataError, CorpusInterrupted, OSError)):
            explain_corpus("imdb-dense", stopping(few, at, error), tmp_path / "out", shard_size=10)
        with pytest.raises(CorpusError, match="not finished"):
            next(read(tmp_path / "out"))
    done = explain_corpus("imdb-dense", few, tmp_path / "out", shard_size=10)
    assert done.kept == 3
    assert contents(tmp_path / "out") == contents(whole)
    again = explain_corpus("imdb-dense", few, tmp_path / "out", shard_size=10)
    assert again == done._replace(kept=6)


def stopped(texts: list[str], out: Path) -> None:
    with pytest.raises(DataError):
        explain_corpus("imdb-dense", stopping(texts, 25, DataError("broken")), out, shard_size=10)


@pytest.mark.parametrize("damage", ["cut journal", "torn line", "lost shard", "changed shard", "leftover"])
def test_whatever_is_damaged_is_done_again(
    damage: str, few: list[str], whole: Path, tmp_path: Path, contents: Contents
) -> None:
    out = tmp_path / "out"
    stopped(few, out)
    journal = out / "journal.jsonl"
    if damage == "cut journal":
        journal.write_bytes(journal.read_bytes()[:-30])
    elif damage == "torn line":
        journal.write_bytes(journal.read_bytes() + b'{"shard": 2, "file"')
    elif damage == "lost shard":
        (out / "part-0000001.parquet").unlink()
    elif damage == "changed shard":
        data = bytearray((out / "part-0000000.parquet").read_bytes())
        data[1000] ^= 1
        (out / "part-0000000.parquet").write_bytes(data)
    else:
        (out / ".part-0000002.parquet.1.part").write_bytes(b"half")
    done = explain_corpus("imdb-dense", few, out, shard_size=10)
    assert done.kept == (2 if damage in ("torn line", "leftover") else 1)
    assert contents(out) == contents(whole)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"rule": "gamma"}, "rule 'epsilon' \\(this one has 'gamma'\\)"),
        ({"shard_size": 50}, "shard_size 10"),
        ({"target": "positive"}, "target 'margin'"),
        ({"model": "imdb-cnn"}, "model arch 'dense'"),
        ({"with_text": False}, "with_text True"),
    ],
)
def test_other_settings_or_another_model_are_refused(how: dict[str, Any], message: str, few: list[str], tmp_path: Path) -> None:
    stopped(few, tmp_path)
    given = {"model": "imdb-dense", "shard_size": 10, **how}
    with pytest.raises(CorpusError, match=f"holds an unfinished run with .*{message}") as refused:
        explain_corpus(given.pop("model"), few, tmp_path, **given)
    assert str(refused.value).count("(this one has 'gamma')") == (how == {"rule": "gamma"})  # said once


def test_another_model_or_source_is_refused_where_a_run_is_finished(bundled_texts: list[str], tmp_path: Path) -> None:
    explain_corpus("imdb-dense", bundled_texts[:3], tmp_path)
    with pytest.raises(CorpusError, match="holds a finished run with gates 'all'"):
        explain_corpus("imdb-dense", bundled_texts[:3], tmp_path, gates="prop")
    with pytest.raises(CorpusError, match="holds a finished run with source data '\\(python\\)' \\(this one has 'bundled'\\)"):
        explain_corpus("imdb-dense", "bundled", tmp_path)


def test_a_source_that_changed_is_refused(few: list[str], tmp_path: Path) -> None:
    stopped(few, tmp_path)
    changed = [*few[:11], few[11] + "!", *few[12:]]
    with pytest.raises(CorpusError, match="has changed since the run began \\(rows 10 to 19"):
        explain_corpus("imdb-dense", changed, tmp_path, shard_size=10)
    with pytest.raises(CorpusError, match="has become shorter"):
        explain_corpus("imdb-dense", few[:10], tmp_path, shard_size=10)


def test_bad_rows_are_rejected_with_number_and_reason(few: list[str], whole: Path, tmp_path: Path, contents: Contents) -> None:
    mixed: list[Any] = [few[0], None, 7, "x" * 101, few[1][:90]]
    done = explain_corpus("imdb-dense", mixed, tmp_path / "out", longest=100, shard_size=2)
    assert (done.rows, done.texts, done.rejects) == (5, 1, 4)
    rejects = [json.loads(line) for line in contents(tmp_path / "out")["rejects.jsonl"].splitlines()]
    assert [(each["row"], each["id"]) for each in rejects] == [(0, "1"), (1, "2"), (2, "3"), (3, "4")]
    assert [each["reason"].split(":")[0] for each in rejects] == ["too long", "not text", "not text", "too long"]
    assert [e.text for e in read(tmp_path / "out")] == [few[1][:90]]


def test_strict_stops_at_the_first_bad_row(bundled_texts: list[str], tmp_path: Path) -> None:
    mixed: list[Any] = [*bundled_texts[:5], None, *bundled_texts[5:8]]
    with pytest.raises(CorpusError, match="row 5 \\(id '6'\\): not text: nothing there; mend it"):
        explain_corpus("imdb-dense", mixed, tmp_path, strict=True, shard_size=2)
    assert explain_corpus("imdb-dense", mixed, tmp_path, shard_size=2)[1:4] == (9, 8, 1)
    assert len(list(read(tmp_path))) == 8


@pytest.mark.parametrize("what", ["relevance", "score", "ledger", "logits"])
def test_texts_whose_numbers_are_not_finite_are_rejected(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attribute = columns._attribute

    def broken(classifier: Any, encoded: Any, batch: np.ndarray, settings: Any) -> Any:
        found = attribute(classifier, encoded, batch, settings)
        film = [k for k, i in enumerate(batch.tolist()) if classifier.vocabulary["film"] in encoded[i]]
        changed = {"relevance": found.tokens, "score": found.score, "ledger": found.ledger["bias"], "logits": found.output}[
            what
        ]
        changed = changed.clone()
        changed[film] = torch.inf if what == "score" else torch.nan
        if what == "ledger":
            return replace(found, ledger={**found.ledger, "bias": changed})
        return replace(found, **{{"relevance": "tokens", "logits": "output"}.get(what, what): changed})

    monkeypatch.setattr(columns, "_attribute", broken)
    done = explain_corpus("imdb-dense", ["a warm story", "a film", "dull", "no film at all"], tmp_path)
    assert (done.texts, done.rejects) == (2, 2)
    lines = [json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines()]
    assert [(each["row"], each["id"]) for each in lines] == [(1, "2"), (3, "4")]
    assert all(each["reason"] == f"its {what} is NaN, infinite or beyond 1e+100" for each in lines)
    assert [e.text for e in read(tmp_path)] == ["a warm story", "dull"]


def test_labels_are_needed_where_one_says_so(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "pos"}, {"text": "b", "label": None}, {"text": "c", "label": "maybe"}]
    assert explain_corpus("imdb-dense", rows, tmp_path / "all")[1:4] == (3, 3, 0)
    assert open_corpus(tmp_path / "all").labels() == ["positive", None, "maybe"]
    assert explain_corpus("imdb-dense", rows, tmp_path / "some", labelled=True)[1:4] == (3, 1, 2)


def test_without_texts_an_explanation_shows_its_tokens(dense: Any, bundled_texts: list[str], tmp_path: Path) -> None:
    explain_corpus("imdb-dense", bundled_texts[:20], tmp_path, with_text=False)
    for found, expected in zip(read(tmp_path), dense.explain_many(bundled_texts[:20], target="margin"), strict=True):
        assert found.tokens == expected.tokens
        assert found.text == expected.text
        assert np.array_equal(found.relevance, expected.relevance)
    with pytest.raises(CorpusError, match="texts were not kept"):
        open_corpus(tmp_path).texts()


def test_a_text_that_was_not_read_to_its_end_is_known_as_such(tmp_path: Path) -> None:
    long = "word " * 3500
    for with_text in (True, False):
        explain_corpus("imdb-dense", [long, "short "], tmp_path / str(with_text), with_text=with_text)
        assert [e.truncated for e in read(tmp_path / str(with_text))] == [True, False]


def test_a_limit_takes_the_first_rows(bundled_texts: list[str], tmp_path: Path) -> None:
    explain_corpus("imdb-dense", "bundled", tmp_path, limit=7)
    assert [e.text for e in read(tmp_path)] == bundled_texts[:7]


def test_two_runs_cannot_write_to_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(CorpusError, match="another run is writing"):
        explain_corpus("imdb-dense", ["a"], tmp_path)
    assert explain_corpus("imdb-dense", ["a"], tmp_path).texts == 1


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CorpusError, match=r"holds other files \('thesis.txt'\)"):
        explain_corpus("imdb-dense", ["a"], tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"target": "neutral"}, UnknownNameError, "unknown target 'neutral'"),
        ({"rule": "gama"}, UnknownNameError, "did you mean 'gamma'"),
        ({"gates": "none"}, InputError, "none"),
        ({"rule": textlrp.lrp.Zero()}, InputError, "by its name"),
        ({"workers": 0}, InputError, "workers must be"),
        ({"shard_size": 0}, InputError, "shard_size must be"),
        ({"longest": 10**19}, InputError, "longest must be"),
        ({"limit": 10**20}, InputError, "limit must be"),
        ({"device": "gpu"}, InputError, "unknown device 'gpu'"),
        ({"engine": "dask"}, UnknownNameError, "unknown engine"),
        ({"model": "imdb-denze"}, UnknownNameError, "did you mean 'imdb-dense'"),
    ],
)
def test_wrong_arguments_are_told_before_anything_is_written(
    how: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    given = {"model": "imdb-dense", **how}
    with pytest.raises(error, match=message):
        explain_corpus(given.pop("model"), ["a"], tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_an_empty_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no rows"):
        explain_corpus("imdb-dense", [], tmp_path)


def test_a_source_that_broke_before_anything_was_explained_does_not_claim_the_folder(few: list[str], tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no rows"):
        explain_corpus("imdb-dense", [], tmp_path)
    assert explain_corpus("imdb-dense", few[:2], tmp_path, target="positive").texts == 2


@pytest.mark.parametrize("damage", ["shard", "lost", "manifest", "version", "foreign"])
def test_reading_notices_damage(damage: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    explain_corpus("imdb-dense", ["a fine film"], out)
    part, manifest = out / "part-0000000.parquet", out / "manifest.json"
    if damage == "shard":
        part.write_bytes(part.read_bytes()[:-1] + b"x")
    elif damage == "lost":
        part.unlink()
    elif damage == "manifest":
        manifest.write_text("[" * 100_000)
    elif damage == "version":
        manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    else:
        shutil.rmtree(out)
    with pytest.raises(CorpusError):
        list(read(out))


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    few: list[str], whole: Path, tmp_path: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Journal.add

    def full(self: Journal, record: dict[str, Any]) -> None:
        if len(self.shards) == 2:
            self._handle.close()
            self._handle = open("/dev/full", "ab", buffering=0)  # noqa: SIM115 - a disk that is always full
        add(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", full)
        with pytest.raises(CorpusError, match="No space left on device; make room there and run the same command again"):
            explain_corpus("imdb-dense", few, tmp_path / "out", shard_size=10)
    assert explain_corpus("imdb-dense", few, tmp_path / "out", shard_size=10).kept == 2
    assert contents(tmp_path / "out") == contents(whole)
