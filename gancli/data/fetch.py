"""Fetching a file: streamed, checked against its MD5 sum, within a time limit, and there whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gancli.core.errors import DataError
from gancli.core.files import atomic_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gancli.core.data import Reading

CONNECT = 5.0  # seconds
LARGEST = 2 * 2**30  # bytes


class _Download(threading.Thread):
    """One address into one file. A thread, because looking up a name cannot be interrupted."""

    def __init__(self, url: str, to: Path, md5: str) -> None:
        super().__init__(daemon=True)
        self.url, self.to, self.md5 = url, to, md5
        self.done, self.all = 0, 0
        self.failure = ""
        self.give_up = threading.Event()

    def run(self) -> None:
        try:
            self._stream()
        except urllib.error.URLError as error:
            self.failure = getattr(error.reason, "strerror", None) or str(error.reason)
        except (OSError, ValueError, http.client.HTTPException) as error:
            self.failure = str(error) or type(error).__name__

    def _stream(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise ValueError("not a web address")
        hasher = hashlib.md5(usedforsecurity=False)
        with urllib.request.urlopen(self.url, timeout=CONNECT) as answer, atomic_file(self.to) as file:
            self.all = int(answer.headers.get("Content-Length") or 0)
            while block := answer.read(1 << 16):
                if self.give_up.is_set():
                    raise OSError("out of time")
                self.done += len(block)
                if self.done > LARGEST:
                    raise OSError("larger than 2 GB")
                hasher.update(block)
                file.write(block)
            if hasher.hexdigest() != self.md5:
                raise OSError("what came does not have the expected MD5 sum")


def deadline(how: Reading) -> float:
    """The end of the time for fetching, on the monotonic clock."""
    return time.monotonic() + how.time_limit


def fetch(urls: Sequence[str], to: Path, md5: str, how: Reading, until: float) -> None:
    """Write what the first address that answers sends.

    Args:
        urls: addresses of the same file, tried one after the other.
        to: the file; its folder is made.
        md5: the sum that it must have.
        how: whom to tell the progress.
        until: when to give up, on the monotonic clock.

    Raises:
        DataError: none of them sent it in time; with each one's reason.
    """
    failures = []
    for url in urls:
        download = _Download(url, to, md5)
        download.start()
        try:
            while download.is_alive() and time.monotonic() < until:
                download.join(0.05)
                if download.all:
                    how.progress(f"fetching {to.name}", download.done, download.all)
        finally:
            late = download.is_alive()
            download.give_up.set()
        if late:
            failures.append(f"{urlsplit(url).hostname}: not done in the {how.time_limit:.0f} s allowed")
            break
        if not download.failure:
            return
        failures.append(f"{urlsplit(url).hostname}: {download.failure}")
    raise DataError(f"{to.name} could not be fetched ({'; '.join(failures)})")
