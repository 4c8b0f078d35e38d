"""Starting the server: its socket, its address, the browser."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from gancli.core.errors import ResourceError, UsageError
from gancli.studio.app import make
from gancli.studio.guard import LOCAL
from gancli.studio.place import Place
from gancli.studio.studio import Studio

PORT = 8642
TRIES = 20  # ports that are tried where none was asked for


class Server(uvicorn.Server):
    """A server that says when it listens, and whose streams end when it does."""

    def __init__(self, config: uvicorn.Config, studio: Studio, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self.studio, self.begun = studio, begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun()

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal: streams that are open end at once."""
        self.studio.stopping.set()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens. Raises ResourceError, UsageError."""
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror or error}", "use 127.0.0.1") from None
    ports = range(PORT, PORT + TRIES) if port is None else [port]
    for one in ports:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, one))
            made.listen(128)
        except OSError as error:
            made.close()
            if error.errno == errno.EADDRINUSE and one != ports[-1]:
                continue
            raise ResourceError(
                f"cannot listen on {host} port {one}: {error.strerror}", "choose another --port"
            ) from None
        return made
    raise AssertionError


def serve(
    place: Place, host: str, port: int | None, names: tuple[str, ...], browser: bool, say: Callable[[str], None]
) -> None:
    """Serve until a signal ends it.

    Args:
        place: what is served.
        host: the address that it listens on.
        port: None: the first free one from 8642 on.
        names: further hosts by which it may be called.
        browser: whether to open the page.
        say: called with lines for the user.
    """
    studio, token = Studio(place), place.token()
    listening = bound(host, port)
    number = listening.getsockname()[1]
    local = host in LOCAL
    shown = f"[{host}]" if ":" in host else host if host not in ("0.0.0.0", "") else socket.gethostname()
    address = f"http://{shown}:{number}/?token={token}"

    def begun() -> None:
        say(f"studio of {place.runs}: {address}")
        if not local:
            say("it can be reached from other machines; whoever has this address can train and delete runs")
        say("Ctrl-C ends the studio; what is training goes on")
        if browser:
            threading.Thread(target=_open, args=(address,), daemon=True).start()

    names = (*names, socket.gethostname()) if not local else names
    app = make(studio, token, names, anywhere=not local)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=2, server_header=False,
        ws="none", http="h11", loop="asyncio", limit_concurrency=200, h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt):
        Server(config, studio, begun).run(sockets=[listening])


def _open(address: str) -> None:
    with contextlib.suppress(Exception):  # a machine without a browser
        webbrowser.open(address)
