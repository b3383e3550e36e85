"""What the commands share: options, reading a text, writing where one was told, and a console."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from textlrp.errors import DataError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from textlrp.classifier import TextClassifier
    from textlrp.corpus import Corpus

__all__ = [
    "FiniteRange",
    "command_line",
    "console",
    "data_options",
    "epilog",
    "explained_corpus",
    "explained_option",
    "model_option",
    "open_model",
    "read_reviews",
    "read_text",
    "rule_options",
    "say",
    "write_out",
]

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_MODEL = "imdb-lstm"


class FiniteRange(click.FloatRange):
    """A number between bounds, as click's own; but NaN, which lies outside of no bounds, and infinity are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


def epilog(*examples: str) -> str:
    """Return the examples that stand at the end of a command's help."""
    return "\b\nExamples\n" + "\n".join(f"  {line}" for line in examples)


def model_option(command: F) -> F:
    """Add --model."""
    return click.option(
        "--model",
        default=DEFAULT_MODEL,
        show_default=True,
        metavar="M",
        help="A bundled model (`textlrp models` lists them) or the folder of a checkpoint.",
    )(command)


def rule_options(command: F) -> F:
    """Add --rule and --gates."""
    command = click.option(
        "--gates",
        default="all",
        show_default=True,
        metavar="G",
        help="Who takes the relevance of a gated product in an LSTM or GRU: all (the signal), prop, abs, half, zero.",
    )(command)
    return click.option(
        "--rule",
        default="default",
        show_default=True,
        metavar="R",
        help="The LRP rule: default (the architecture's most faithful), zero, epsilon, gamma, alpha-beta… "
        "(`textlrp models --rules` describes each).",
    )(command)


def explained_option(command: F) -> F:
    """Add --explained, and --data that may be left out for it, and what says how to read it."""
    command = click.option(
        "--explained",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Instead of --model and --data: a folder that `textlrp explain-corpus` wrote; no text is explained again.",
    )(command)
    return data_options(command, required=False)


def explained_corpus(folder: Path, settled: Iterable[str]) -> Corpus:
    """Open the corpus of --explained; options that it settles must not be given beside it."""
    from textlrp.corpus import open_corpus

    context = click.get_current_context()
    for name in settled:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is settled by --explained, which holds what was explained; leave one of them out")
    return open_corpus(folder)


def data_options(command: F, *, required: bool = True) -> F:
    """Add --data and what says how to read it."""
    for option in (
        click.option("--encoding", metavar="NAME", help="How a table's bytes are to be read. Default: utf-8."),
        click.option("--label-column", metavar="NAME", help="The column that holds the labels, where it is not guessed right."),
        click.option("--text-column", metavar="NAME", help="The column that holds the texts, where it is not guessed right."),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path),
            envvar="TEXTLRP_DATA",
            show_envvar=True,
            help="Where IMDB lies: aclImdb_v1.tar.gz, its folder, or a folder with one of them.",
        ),
        click.option(
            "--data",
            required=required,
            metavar="D",
            help="imdb:train, imdb:test, bundled, or a CSV, TSV, JSONL, Parquet file or a folder with a sub-folder a class.",
        ),
    ):
        command = option(command)
    return command


def open_model(name: str) -> TextClassifier:
    """Load a model by name or folder."""
    from textlrp.classifier import load

    return load(name)


def read_reviews(data: str, *, labelled: bool = True, **options: Any) -> Any:
    """Open a data set, as `textlrp.load_reviews` does."""
    from textlrp.text.sources import load_reviews

    return load_reviews(data, labelled=labelled, **{name: value for name, value in options.items() if value is not None})


def read_text(argument: str | None, file: Path | None) -> str:
    """Return the text given as an argument, as `-` (standard input) or by --file; all of it, as it is."""
    if (argument is None) == (file is None):
        raise click.UsageError("give one text: as an argument, as - for standard input, or with --file PATH")
    if argument is not None and argument != "-":
        return argument
    try:
        raw = sys.stdin.buffer.read() if file is None else file.read_bytes()
    except IsADirectoryError as error:
        raise DataError(f"{str(file)!r} is a folder; name one text file") from error
    except OSError as error:
        raise DataError(f"cannot read {str(file)!r}: {error.strerror}") from error
    try:
        return raw.decode("utf-8-sig").removesuffix("\n")
    except UnicodeDecodeError as error:
        where = "standard input" if file is None else repr(str(file))
        raise DataError(f"{where} is not UTF-8 at byte {error.start}; convert it first (iconv -f latin1 -t utf8)") from error


def write_out(path: str, content: str) -> None:
    """Write `content` to a file, whole or not at all, or to standard output where `path` is `-`."""
    if path == "-":
        sys.stdout.buffer.write(content.encode("utf-8", errors="replace"))
        sys.stdout.buffer.flush()
        return
    from textlrp.files import write_text

    if not path:
        raise InputError("the name of a file to write is empty; give a name, or - for standard output")
    write_text(path, content)


def console(*, width: int | None = None) -> Console:
    """Return a rich console that does not interpret the texts it prints; without colours if a `width` is given."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, width=width, no_color=width is not None)


def command_line() -> str:
    """Return the command that runs as it was given, quoted for a shell: what it writes tells how to write it again."""
    return "textlrp " + " ".join(map(shlex.quote, sys.argv[1:]))


def say(message: str) -> None:
    """Tell the person something on standard error, so that standard output holds results alone."""
    click.echo(message, err=True)
