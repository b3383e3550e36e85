"""`textlrp serve`: the live page."""

from __future__ import annotations

import contextlib

import click

from textlrp.cli.common import FiniteRange, epilog, say

__all__ = ["serve"]


@click.command(
    epilog=epilog(
        "textlrp serve --open",
        "textlrp serve --model imdb-lstm --model my-model --port 9000",
        "curl -s localhost:8000/api/explain -H 'Content-Type: application/json' -d '{\"text\": \"A dull film.\"}'",
    )
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="M",
    help="A bundled model or the folder of a checkpoint; may be given several times. Default: all bundled models.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen at; the default is this machine's own."
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="The port; 0 takes any free one.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A further name that the server may be called by, such as the one of a proxy before it; may be given several times.",
)
@click.option("--open", "browse", is_flag=True, help="Open the page in the browser.")
@click.option("--log", is_flag=True, help="Tell each request: method, path, status, time; never its text.")
@click.option("--max-characters", default=20_000, show_default=True, type=click.IntRange(1), help="The longest text.")
@click.option("--max-tokens", default=4_000, show_default=True, type=click.IntRange(1), help="The longest text, in tokens.")
@click.option(
    "--rate", default=20.0, show_default=True, type=FiniteRange(0, 1_000_000), help="Requests a second of a client; 0: any."
)
@click.option("--seconds", default=10.0, show_default=True, type=FiniteRange(0, min_open=True), help="Time for a request.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Explanations made at once.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 64), help="Threads of each explanation.")
def serve(
    models: tuple[str, ...],
    host: str,
    port: int,
    allow_hosts: tuple[str, ...],
    browse: bool,
    log: bool,
    max_characters: int,
    max_tokens: int,
    rate: float,
    seconds: float,
    workers: int,
    threads: int,
) -> None:
    """Serve the live page: type a review and see which words speak for and against, while you type.

    Model, rule, gates and target can be switched, two settings compared, and what is seen exported. The same is there for
    programs, as JSON: /docs describes it. Texts are neither stored nor logged.
    """
    from textlrp.server.app import create_app
    from textlrp.server.hosts import is_loopback
    from textlrp.server.run import address_of, bind
    from textlrp.server.run import serve as run
    from textlrp.server.settings import Settings

    settings = Settings(
        models=models,
        host=host,
        port=port,
        allow_hosts=allow_hosts,
        max_characters=max_characters,
        max_tokens=max_tokens,
        max_body=16_384 + 12 * max_characters,
        rate=rate,
        burst=max(1, round(2 * rate)),
        seconds=seconds,
        workers=workers,
        threads=threads,
    )
    listening = bind(settings)
    try:
        app = create_app(settings, alone=True)
        if log:
            _log()
        if not is_loopback(host):
            say(
                "warning: others on the network can reach this server, and there is no password: all of them can use it. Leave "
                "--host out, or put a proxy that asks who they are before it."
            )

        def ready() -> None:
            say(f"textlrp is at {address_of(listening)}   (Ctrl-C stops it)")
            if browse:
                import webbrowser

                webbrowser.open(address_of(listening))

        with contextlib.suppress(KeyboardInterrupt):
            run(settings, listening, app=app, ready=ready)
        say("stopped")
    finally:
        listening.close()


def _log() -> None:
    import logging

    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("textlrp.server").setLevel(logging.INFO)
