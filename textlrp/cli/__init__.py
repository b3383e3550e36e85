"""The command line: one file a command, imported when it is called, so that `textlrp --help` answers at once."""

from __future__ import annotations

import importlib
import io
import sys
from typing import NoReturn

import click

from textlrp import __version__
from textlrp.errors import TextLRPError
from textlrp.memory import bound_kernels, keep_freed_memory

__all__ = ["main"]

_COMMANDS = {
    "explain": "Show which words spoke for and against a prediction.",
    "rank": "Rank the words of a whole data set by their relevance.",
    "explain-corpus": "Explain a whole archive of texts into Parquet shards; resumes where it stopped.",
    "compare": "Explain one text by several rules and methods, side by side.",
    "evaluate": "Measure a model on a labelled data set.",
    "serve": "Type a review on a live page, and see its words coloured while you type.",
    "evaluate-explanations": "Measure how faithful LRP rules and other methods are on a model and texts.",
    "recommend": "Find the LRP rule that suits a model and texts, within a time budget.",
    "report": "Write a page on a model and a data set: words, errors, calibration, audit.",
    "audit": "Find the words that carry decisions and should not.",
    "topics": "Explain a classifier of documents: the words of each class, and documents as points.",
    "train": "Train a classifier on IMDB or on your own labelled texts.",
    "models": "List the models that ship with textlrp.",
    "data": "List the data sets at hand, or look into one.",
    "demo": "Explain, score and rank the bundled reviews; write one HTML page.",
}


class _Lazy(click.Group):
    """A group that knows its commands by name and imports one only to run it or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"textlrp.cli.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            ctx.fail(f"unknown command {args[0]!r}{hint} Known: {', '.join(_COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


_EPILOG = """\b
Examples
  textlrp explain "Not bad at all, but the ending was a mess."
  textlrp explain - --model imdb-dense --html review.html < review.txt
  textlrp rank --model imdb-lstm --data bundled --top 10
  textlrp train --data reviews.csv --arch dense --out my-model
"""


@click.command(cls=_Lazy, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="textlrp")
def _textlrp() -> None:
    """Which words made the classifier say that?

    textlrp trains review classifiers, explains their predictions by layer-wise relevance propagation (LRP), ranks words and
    highlights them. `textlrp COMMAND --help` shows an example of each command.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; exit with 0 (done), 1 (an error, said in one line) or 2 (a wrong call)."""
    keep_freed_memory()
    bound_kernels()
    _write_all_letters()
    try:
        code = _textlrp.main(args=arguments, prog_name="textlrp", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; nothing half-written was left behind", err=True)
        sys.exit(1)
    except TextLRPError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        click.echo(f"error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
        sys.exit(1)
    sys.exit(code or 0)  # click returns the code of an Exit, and None where a command ends by itself


def _write_all_letters() -> None:
    """Let letters that the encoding of standard output lacks be written as `?`; standard error escapes them by itself."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a program that calls `main` may have put something else there
        sys.stdout.reconfigure(errors="replace")
