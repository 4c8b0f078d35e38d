"""What the studio refuses, or shows as text: a table of requests, names and files."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import Served, pretended

EVIL = "<img src=x onerror=alert(1)>"
ESCAPE = "\x1b[31mred\x1b]0;title\x07"


@dataclass(frozen=True)
class Case:
    name: str
    path: str
    code: int | tuple[int, ...]
    method: str = "GET"
    token: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


JSON = (("Content-Type", "application/json"),)
CASES = (
    Case("foreign host", "/", 400, headers=(("Host", "evil.example"),)),
    Case("host that begins alike", "/", 400, headers=(("Host", "127.0.0.1.evil.example"),)),
    Case("host with a user", "/", 400, headers=(("Host", "127.0.0.1@evil.example"),)),
    Case("another address as host", "/", 400, headers=(("Host", "10.0.0.1"),)),
    Case("no token", "/", 401, token=False),
    Case("no token for the api", "/api/runs", 401, token=False),
    Case("no token for files", "/static/app.js", 401, token=False),
    Case("a wrong token", "/?token=0123456789abcdef0123456789abcdef", 401, token=False),
    Case("a wrong bearer", "/", 401, token=False, headers=(("Authorization", "Bearer x"),)),
    Case("a wrong cookie", "/", 401, token=False, headers=(("Cookie", "gan-studio-1=x; gan-studio-{port}=y"),)),
    Case("the token of a form", "/runs/one/stop", 403, "POST", token=False, body=b"token={token}"),
    Case("foreign origin", "/runs/one/stop", 403, "POST", headers=(("Origin", "http://evil.example"),), body=b""),
    Case("origin null", "/runs/one/stop", 403, "POST", headers=(("Origin", "null"),), body=b""),
    Case("origin of another port", "/runs/one/stop", 403, "POST", headers=(("Origin", "http://127.0.0.1:1"),), body=b""),
    Case("cross-site", "/runs/one/stop", 403, "POST", headers=(("Sec-Fetch-Site", "cross-site"),), body=b""),
    Case("same-site, not same-origin", "/runs/one/stop", 403, "POST", headers=(("Sec-Fetch-Site", "same-site"),), body=b""),
    Case("the parent folder as a run", "/api/runs/..", (400, 404)),
    Case("coded dots", "/api/runs/%2e%2e", 400),
    Case("a coded slash", "/api/runs/..%2f..%2fetc", (400, 404)),
    Case("a path as a run", "/api/runs/%2fetc%2fpasswd", (400, 404)),
    Case("the studio's own folder", "/api/runs/.studio", 400),
    Case("the token's file", "/runs/.studio/samples/token", 400),
    Case("a file outside as a preview", "/runs/one/samples/..%2fconfig.json", (400, 404)),
    Case("a file that is no preview", "/runs/one/samples/x.svg", 400),
    Case("a link as a preview", "/runs/one/samples/000009.png", (400, 422)),
    Case("a file that is no picture", "/runs/one/pictures/config.json", 400),
    Case("files outside of static", "/static/..%2f..%2fserve.py", 404),
    Case("files outside of static, plain", "/static/../../serve.py", 404),
    Case("a made file outside", "/made/..%2ftoken", (400, 404)),
    Case("an export outside", "/runs/one/exports/..%2f..%2ftoken", (400, 404)),
    Case("a null byte in a name", "/api/runs/a%00b", 400),
    Case("an unknown page", "/nothing", 404),
    Case("an unknown address of the api", "/api/nothing", 404),
    Case("another method", "/api/runs", (404, 405), "DELETE"),
    Case("an address of 20 kB", "/api/runs?find=" + "a" * 20_000, (400, 414, 431)),
    Case("a form of 2 MB", "/api/runs/one/notes", 400, "POST", headers=JSON, body=b'{"notes": "' + b"a" * 2_000_000 + b'"}'),
    Case("notes of 30,000 letters", "/api/runs/one/notes", 400, "POST", headers=JSON, body=b'{"notes": "' + b"a" * 30_000 + b'"}'),
    Case("a body that is no JSON", "/api/runs/one/notes", 400, "POST", headers=JSON, body=b"{"),
    Case("a body nested deeply", "/api/runs/one/notes", 400, "POST", headers=JSON, body=b"[" * 100_000),
    Case("a body of another type", "/api/runs/one/notes", 400, "POST", headers=(("Content-Type", "text/xml"),), body=b"<a/>"),
    Case("data on the disk", "/api/data/inspect", 400, "POST", headers=JSON, body=b'{"data": "/etc"}'),
    Case("data above", "/api/data/inspect", 400, "POST", headers=JSON, body=b'{"data": "../../.."}'),
    Case("data through a link", "/api/data/inspect", 400, "POST", headers=JSON, body=b'{"data": "out"}'),
    Case("data that are runs", "/api/data/inspect", 400, "POST", headers=JSON, body=b'{"data": "runs/one"}'),
    Case("an upload of no name", "/api/data/inspect", 400, "POST", headers=JSON, body=b'{"data": "upload:../../x"}'),
    Case("an option of the command line", "/api/train", 422, "POST", headers=JSON, body=b'{"data": "--plugin=x.py"}'),
    Case("a name with a slash", "/api/train", 400, "POST", headers=JSON, body=b'{"data": "digits", "name": "../x"}'),
    Case("a name that is an option", "/api/train", 400, "POST", headers=JSON, body=b'{"data": "digits", "name": "--json"}'),
    Case("a preset that is a path", "/api/train", 400, "POST", headers=JSON, body=b'{"data": "digits", "preset": "/etc/passwd"}'),
    Case("a key that is none", "/api/train", 400, "POST", headers=JSON, body=b'{"data": "digits", "o.a b; rm": "1"}'),
    Case("an infinite number", "/api/train", 400, "POST", headers=JSON, body=b'{"data": "digits", "epochs": "inf"}'),
    Case("a device that is a command", "/api/train", 400, "POST", headers=JSON, body=b'{"data": "digits", "device": "cpu; ls"}'),
    Case("a million seeds", "/api/runs/one/draw", (400, 422), "POST", headers=JSON, body=b'{"seeds": "0-1000000"}'),
    Case("deleting with another name", "/api/runs/one/delete", 400, "POST", headers=JSON, body=b'{"confirm": "two"}'),
    Case("stopping what does not run", "/api/runs/one/stop", 400, "POST", body=b""),
    Case("an entry of the queue outside", "/api/queue/..%2f..%2ftoken", (400, 404)),
    Case("an upload outside", "/api/uploads/0123456789abcdef/..%2fx", 400, "PUT", body=b"x"),
    Case("an upload called like the token", "/api/uploads/..%2f..%2ftoken", (400, 404), "PUT", body=b"x"),
    Case("a hidden file in an upload", "/api/uploads/0123456789abcdef/.x", 400, "PUT", body=b"x"),
    Case("a path of 20 folders", "/api/uploads/0123456789abcdef/" + "a/" * 20 + "x", 400, "PUT", body=b"x"),
    Case("a terminal's escape in an upload", "/api/uploads/0123456789abcdef/a%1b[31m.png", 400, "PUT", body=b"x"),
    Case("an upload over the limit by its header", "/api/uploads/0123456789abcdef/x.zip", 422, "PUT",
         headers=(("Content-Length", "3000000000"),)),
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(served: Served) -> Served:
    """The studio with runs that somebody else made."""
    one = pretended(served.runs, "one")
    (one / "samples" / "000009.png").symlink_to("/etc/passwd")
    (served.place / "out").symlink_to("/etc")
    evil = pretended(served.runs, EVIL.replace("/", ""), state="failed", reason=EVIL + ESCAPE)
    (evil / "notes.txt").write_text(EVIL + ESCAPE + "\u202eabc")
    (evil / "log.txt").write_text(EVIL + ESCAPE)
    config = json.loads((evil / "config.json").read_text())
    config["preset"], config["task"]["loss"] = EVIL, {"name": f"</script>{EVIL}"}
    (evil / "config.json").write_text(json.dumps(config))
    (evil / "data.json").write_text(json.dumps({"choices": [EVIL], "train": 3}))
    said = {"baselines": {EVIL: 2.0, "b": "no"}, "warnings": {"c": EVIL, "d": 3}}
    scores = {
        f"fid@{EVIL}": {"value": 1.0, "meaning": EVIL, "better": EVIL, **said},
        "x@y": {"value": "no", "error": [1], "baselines": [1], "warnings": "no"},
    }
    (evil / "evaluation.json").write_text(json.dumps({"format": 3, "scores": scores, "protocol": {EVIL: EVIL}}))
    (evil / "monitor.jsonl").write_text(json.dumps({"step": 1, "warned": [EVIL]}) + "\n")
    (evil / "model").mkdir()
    (evil / "model" / "README.md").write_text(f"# {EVIL}{ESCAPE}")
    (evil / "samples" / "000001.txt").write_text(EVIL + ESCAPE)
    linked = served.runs / "linked"
    linked.mkdir()
    for name in ("config.json", "log.txt", "metrics.jsonl", "notes.txt"):
        (linked / name).symlink_to("/etc/passwd")
    (served.runs / "away").symlink_to("/etc")
    (served.runs / "\x1b[31mcolor").mkdir()
    return served


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(" ", "-"))
def test_refused(hostile: Served, case: Case) -> None:
    headers = {k: v.replace("{port}", str(hostile.port)) for k, v in case.headers}
    if case.token:
        headers = {"Authorization": f"Bearer {hostile.token}"} | headers
    body = None if case.body is None else case.body.replace(b"{token}", hostile.token.encode())
    found = hostile.raw(case.method, case.path, headers, body)
    wanted = case.code if isinstance(case.code, tuple) else (case.code,)
    assert found.code in wanted, found.text[:300]
    assert "root:" not in found.text
    assert hostile.token not in found.text


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 30


def pages(served: Served) -> list[str]:
    name = next(p.name for p in served.runs.iterdir() if p.name.startswith("<img"))
    quoted = "/runs/" + "".join(f"%{b:02x}" for b in name.encode())
    runs = [quoted, f"{quoted}/evaluate", f"{quoted}/export", f"{quoted}/draw", "/runs/linked", "/runs/one"]
    return ["/", "/?find=%3Cscript%3E", "/new", "/queue", "/compare", "/about", *runs]


def test_names_are_text(hostile: Served) -> None:
    for path in pages(hostile):
        found = hostile.ask(path)
        assert found.code == 200, (path, found.text[-600:])
        assert "<img src=x" not in found.text, path
        assert "\x1b" not in found.text, path
        assert "</script>" + EVIL not in found.text
        assert "root:" not in found.text, path


def test_text_previews_are_text(hostile: Served) -> None:
    name = next(p.name for p in hostile.runs.iterdir() if p.name.startswith("<img"))
    quoted = "".join(f"%{b:02x}" for b in name.encode())
    found = hostile.ask(f"/runs/{quoted}/samples/000001.txt")
    assert found.headers["content-type"].startswith("text/plain")
    assert found.headers["x-content-type-options"] == "nosniff"


def test_every_answer_has_its_policy(hostile: Served) -> None:
    for path in ("/", "/api/runs", "/static/app.js", "/nothing"):
        found = hostile.ask(path)
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert found.headers["x-frame-options"] == "DENY"
        assert found.headers["cross-origin-resource-policy"] == "same-origin"
    refused = hostile.raw("GET", "/", {"Host": "evil.example"})
    assert "default-src 'none'" in refused.headers["content-security-policy"]


def test_the_token_becomes_a_cookie(served: Served) -> None:
    found = served.raw("GET", f"/queue?token={served.token}&x=1")
    assert found.code == 303
    assert found.headers["location"] == "/queue?x=1"
    cookie = found.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    again = served.raw("GET", "/queue", {"Cookie": cookie.partition(";")[0]})
    assert again.code == 200
    away = served.raw("GET", f"//evil.example/?token={served.token}")
    assert away.code != 303 or away.headers["location"].startswith("/evil")


def test_the_tokens_file_is_the_users(served: Served) -> None:
    assert (served.runs / ".studio" / "token").stat().st_mode & 0o077 == 0


def test_an_upload_is_cut_at_the_limit(tmp_path: Path) -> None:
    from tests.studio.conftest import started

    small = started(tmp_path, "--upload-limit", "0.001")
    try:
        name = small.post("/api/uploads")["upload"]
        assert small.ask(f"/api/uploads/{name}/a.png", b"x" * 600_000, "PUT").code == 200
        assert small.ask(f"/api/uploads/{name}/b.png", b"x" * 600_000, "PUT").code == 422
        chunked = (
            f"PUT /api/uploads/{name}/c.png HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {small.token}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", small.port), timeout=20) as connection:
            connection.sendall(chunked.encode())
            answer = b""
            try:
                for _ in range(40):
                    connection.sendall(b"10000\r\n" + b"y" * 65536 + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            except OSError:
                pass
            answer = connection.recv(100)
        assert b" 422 " in answer
        assert [p.name for p in (small.runs / ".studio" / "uploads" / name).iterdir()] == ["a.png"]
    finally:
        small.end()


def test_a_server_for_others_says_so(tmp_path: Path) -> None:
    from tests.studio.conftest import started

    found = started(tmp_path, "--host", "0.0.0.0")
    try:
        found.said += found.process.stdout.readline()  # type: ignore[union-attr]
        assert "other machines" in found.said
        assert found.raw("GET", "/").code == 401
        assert found.raw("GET", "/", {"Host": "evil.example"}).code == 400
        assert found.ask("/api/alive").code == 200
    finally:
        found.end()


def test_a_bomb_is_refused_by_gan_data(served: Served) -> None:
    """A zip of 20 MB of zeros a thousand times as large: whoever reads uploads is `gan data`, which has limits."""
    import io
    import zipfile

    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.png", "w", force_zip64=True) as file,
    ):
        for _ in range(400):
            file.write(bytes(1 << 20))
    name = served.post("/api/uploads")["upload"]
    assert served.ask(f"/api/uploads/{name}/bomb.zip", content.getvalue(), "PUT").code == 200
    found = served.ask("/api/data/inspect", {"data": f"upload:{name}"})
    broken: dict[str, Any] = found.json()
    assert found.code == 422 or broken["count"] == 0, broken
