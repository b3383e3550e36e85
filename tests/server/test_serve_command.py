"""`textlrp serve`: what it says, and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from textlrp.errors import InputError
from textlrp.server.hosts import is_loopback
from textlrp.server.run import address_of, bind
from textlrp.server.settings import Settings


def textlrp(*arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "textlrp", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **how)


def test_without_its_packages_it_names_them_in_one_line() -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('fastapi', 'uvicorn', 'starlette'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from textlrp.cli import main\n"
        "main(['serve', '--port', '0'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: the live page needs FastAPI and uvicorn: pip install 'textlrp[serve]'\n"


def test_its_help_needs_neither_them_nor_torch() -> None:
    code = (
        "import sys\nfrom textlrp.cli import main\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: sys.exit(any(name in sys.modules for name in ('fastapi', 'uvicorn', 'torch', 'pydantic')))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "imdb-dens"), "did you mean 'imdb-dense'?"),
        (("--model", "."), "is not a checkpoint of textlrp"),
        (("--model", "no/such/folder"), "is no checkpoint folder"),
        (("--host", "192.0.2.1"), "cannot listen at 192.0.2.1"),
        (("--host", "no such host"), "is no address of this machine"),
    ],
)
def test_what_cannot_be_served_is_said_before_it_listens(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    done = textlrp("--port", "0", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="choose another port"):
            bind(Settings(port=taken.getsockname()[1]))


def test_it_listens_at_this_machine_alone_unless_told() -> None:
    listening = bind(Settings(port=0))
    assert listening.getsockname()[0] == "127.0.0.1"
    assert address_of(listening).startswith("http://127.0.0.1:")
    listening.close()
    assert not is_loopback("0.0.0.0")


@pytest.mark.parametrize("name", ["max_characters", "max_tokens", "max_body", "workers", "burst", "threads", "seconds"])
def test_limits_that_allow_nothing_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=name):
        Settings(**{name: 0})  # type: ignore[arg-type]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_it_warns_where_others_reach_it_and_stops_when_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "textlrp", "serve", "--port", "0", "--host", "0.0.0.0", "--model", "imdb-dense"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = [process.stderr.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert "there is no password" in said[0]
    assert "textlrp is at http://127.0.0.1:" in said[1]
    assert (process.returncode, rest.strip()) == (0, "stopped")
