"""Agreement with people: rationales marked in texts, and a lexicon of words and their classes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.encoding import Reading
from textlrp.errors import DataError, InputError
from textlrp.faithfulness.statistics import average_precision
from textlrp.strict_json import parse
from textlrp.text.tokens import normal_form

__all__ = ["AGREEMENTS", "Rationale", "agreement", "lexicon_marks", "rationale_marks", "read_lexicon", "read_rationales"]

#: What agreement is, measure by measure; relevance speaks for the class that the marks speak for.
AGREEMENTS = {
    "auprc": "area under the precision-recall curve of finding the marked words by falling relevance",
    "f1": "F1 of the most relevant words, as many as people mark on average (a share of the text), against the marked words",
    "pointing": "share of texts whose most relevant word is marked",
    "sign": "share of marked words whose relevance has the sign that the mark says",
}


@dataclass(frozen=True)
class Rationale:
    """A text, its label (a class name) and the spans [start, end) of characters that a person marked as its reason."""

    text: str
    label: str
    spans: tuple[tuple[int, int], ...]


def read_rationales(path: str | Path) -> list[Rationale]:
    """Read rationales: JSON lines {"text": …, "label": class name, "spans": [[start, end], …]}, offsets in characters."""
    found = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = parse(line)
            text, label = row["text"], row["label"]
            spans = tuple((int(start), int(end)) for start, end in row["spans"])
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise DataError(
                f'{path}, line {number}: not {{"text": …, "label": …, "spans": [[start, end], …]}} ({error})'
            ) from error
        if not isinstance(text, str) or not isinstance(label, str):
            raise DataError(f"{path}, line {number}: text and label are strings")
        wrong = [span for span in spans if not 0 <= span[0] < span[1] <= len(text)]
        if wrong:
            raise DataError(f"{path}, line {number}: the span {list(wrong[0])} does not lie in the text, 0 to {len(text)}")
        found.append(Rationale(text, label, spans))
    if not found:
        raise DataError(f"{path} holds no rationales")
    return found


def read_lexicon(path: str | Path) -> dict[str, str]:
    """Read a lexicon, {normal form: class name}: CSV or TSV with the columns `word` and `class`, or a JSON object."""
    content = _text(path)
    if Path(path).suffix == ".json":
        try:
            pairs: Any = parse(content)
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}") from error
        if not isinstance(pairs, dict) or not all(isinstance(each, str) for each in pairs.values()):
            raise DataError(f"{path} is not a JSON object of words and class names")
        rows = list(pairs.items())
    else:
        lines = content.splitlines()
        delimiter = "\t" if lines and "\t" in lines[0] else ","
        try:
            reader = csv.DictReader(lines, delimiter=delimiter)
            if not {"word", "class"} <= set(reader.fieldnames or ()):
                raise DataError(f"{path} needs the columns 'word' and 'class' in its first line")
            rows = [(row["word"] or "", row["class"] or "") for row in reader]
        except csv.Error as error:  # such as a field of a megabyte
            raise DataError(f"{path} cannot be read as a table of words ({error})") from error
    found = {normal_form(word.strip()): name.strip() for word, name in rows if word.strip() and name.strip()}
    if not found:
        raise DataError(f"{path} holds no words")
    return found


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is not UTF-8 at byte {error.start}; convert it first") from error


def rationale_marks(reading: Reading, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return the marks [T]: 1 for a token that overlaps a span, else 0."""
    touched = [any(token.start < end and start < token.end for start, end in spans) for token in reading.tokens]
    return np.array(touched, dtype=np.int64)


def lexicon_marks(reading: Reading, lexicon: Mapping[str, str], wanted: str, rival: str) -> np.ndarray:
    """Return the marks [T]: 1 for a word of the class `wanted`, -1 for one of the class `rival`, else 0."""
    classes = [lexicon.get(normal_form(token.text)) for token in reading.tokens]
    return np.array([1 if each == wanted else -1 if each == rival else 0 for each in classes], dtype=np.int64)


def agreement(relevance: Sequence[np.ndarray], marks: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Return the agreement of relevances ([T] each) with marks (1, 0, -1; [T] each): each of AGREEMENTS, [n].

    AUPRC, F1 and pointing are about the words marked 1 and are NaN for texts without any; sign is about all marked words.
    After ERASER, F1 takes the most relevant ⌈k·T⌉ words, k the mean share of marked words over the texts that have some.
    """
    if len(relevance) != len(marks):
        raise InputError(f"{len(relevance)} texts with relevance, but {len(marks)} with marks")
    shares = [float((each > 0).mean()) for each in marks if (each > 0).any()]
    share = float(np.mean(shares)) if shares else 0.0
    found = {name: np.full(len(marks), np.nan) for name in AGREEMENTS}
    for i, (values, mark) in enumerate(zip(relevance, marks, strict=True)):
        wanted = mark > 0
        if wanted.any():
            taken = max(1, int(np.ceil(round(share * len(values), 9))))
            order = np.argsort(-values, kind="stable")
            found["auprc"][i] = average_precision(values, wanted)
            found["f1"][i] = 2 * int(wanted[order[:taken]].sum()) / (taken + int(wanted.sum()))
            best = values == values.max()
            found["pointing"][i] = float(wanted[best].mean())
        if mark.any():
            found["sign"][i] = float((np.sign(values) == mark)[mark != 0].mean())
    return found
