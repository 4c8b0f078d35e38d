"""Fetching, from a server on this computer."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gancli.core.data import Reading
from gancli.core.errors import DataError
from gancli.data import cifar10, fetch, svhn
from gancli.data.idx import Idx
from tests.data.conftest import put, source


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    files: dict[str, bytes] = {}

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files.get(self.path.lstrip("/"))
            if data == b"slow":
                time.sleep(3)
            self.send_response(404 if data is None else 200)
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http_server:
        http_server.daemon_threads = True
        http_server.block_on_close = False
        threading.Thread(target=http_server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{http_server.server_address[1]}/", files
        http_server.shutdown()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def test_fetch_takes_the_first_mirror_that_is_right(server, how: Reading) -> None:
    address, files = server
    files |= {"wrong": b"x", "right": b"data"}
    to = how.data_dir / "file"
    urls = [address + name for name in ("missing", "wrong", "right")]
    fetch.fetch(urls, to, md5(b"data"), how, fetch.deadline(how))
    assert to.read_bytes() == b"data"
    assert [path.name for path in how.data_dir.iterdir()] == ["file"]


def test_fetch_says_why_not(server, how: Reading) -> None:
    address, files = server
    files["wrong"] = b"x"
    urls = [address + "missing", address + "wrong", "file:///etc/passwd", "http://127.0.0.1:1/x"]
    with pytest.raises(DataError, match=r"Not Found.*MD5 sum.*not a web address.*refused"):
        fetch.fetch(urls, how.data_dir / "file", md5(b"data"), how, fetch.deadline(how))
    assert not list(how.data_dir.iterdir())


def test_fetch_ends_in_time(server, how: Reading) -> None:
    address, files = server
    files["slow"] = b"slow"
    how = replace(how, time_limit=0.3)
    start = time.monotonic()
    with pytest.raises(DataError, match="not done in"):
        fetch.fetch([address + "slow"], how.data_dir / "file", md5(b"slow"), how, fetch.deadline(how))
    assert time.monotonic() - start < 1.5
    assert not (how.data_dir / "file").exists()


@pytest.mark.parametrize("name", ["mnist", "emnist-digits", "cifar10", "svhn"])
def test_each_source_fetches_itself(
    name: str, server, how: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision.datasets as tables

    address, files = server
    elsewhere = replace(how, data_dir=tmp_path / "server")
    if name in ("mnist", "emnist-digits"):
        put(name, elsewhere, zipped=True)
        made = {path.name: path.read_bytes() for path in elsewhere.data_dir.rglob("*.gz")}
    if name == "mnist":
        files |= made
        monkeypatch.setattr(tables.MNIST, "mirrors", [address])
        monkeypatch.setattr(tables.MNIST, "resources", [(f"{n}.gz", md5(made[f"{n}.gz"])) for n in Idx.files])
    elif name == "emnist-digits":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for file, data in made.items():
                archive.writestr(f"gzip/{file}", data)
        files["gzip.zip"] = out.getvalue()
        monkeypatch.setattr(tables.EMNIST, "url", address + "gzip.zip")
        monkeypatch.setattr(tables.EMNIST, "md5", md5(out.getvalue()))
    elif name == "cifar10":
        monkeypatch.setattr(cifar10, "RECORDS", 10)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
            for file in (*cifar10.TRAIN, cifar10.TEST, "../../escape"):
                info = tarfile.TarInfo(f"{cifar10.FOLDER}/{file}")
                info.size = cifar10.RECORD * cifar10.RECORDS
                archive.addfile(info, io.BytesIO(bytes(info.size)))
        files[cifar10.ARCHIVE] = out.getvalue()
        monkeypatch.setattr(tables.CIFAR10, "url", address + "cifar-10-python.tar.gz")
        monkeypatch.setattr(cifar10, "MD5", md5(out.getvalue()))
    else:
        from scipy.io import savemat

        out = io.BytesIO()
        savemat(out, {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.ones((4, 1), np.uint8)})
        files |= dict.fromkeys(svhn.FILES.values(), out.getvalue())
        lists = {part: [address + file, file, md5(out.getvalue())] for part, file in svhn.FILES.items()}
        monkeypatch.setattr(tables.SVHN, "split_list", lists)
    split = source(name).read(replace(how, download=True))
    assert len(split.train.images) > 0
    assert not list(how.data_dir.rglob(".*"))
    assert not list(tmp_path.rglob("escape"))
    assert len(source(name).read(how).test.images) > 0  # now there
