"""Bad archives, folders and pictures: bombs, loops, pipes, devices, files of holes, names that lead out, sizes that are not there."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import socket
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from malice_base import NAMES, Bait, deflated, pictures, png, zeros, zipped

LINK = 0o120777 << 16
KINDS = {
    "a link": LINK,
    "a pipe": 0o010666 << 16,
    "a device": 0o020666 << 16,
    "a socket": 0o140666 << 16,
    "a folder": 0o040755 << 16,
}
SPARSE = 10 << 30


def _zip(change: Callable[[zipfile.ZipFile], None], folder: Path, _: Path) -> Path:
    with zipfile.ZipFile(folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(8):
            archive.writestr(f"{i}.png", png(i))
        change(archive)
    return folder / "x.zip"


def _members(name: str, content: bytes, count: int, mode: int, archive: zipfile.ZipFile) -> None:
    for i in range(count):
        info = zipfile.ZipInfo(name.format(i=i))
        info.external_attr = mode
        archive.writestr(info, content)


def _big(name: str, size: int, folder: Path, _: Path) -> Path:
    return zipped(folder / "x.zip", {name: zeros(size)}, 8)


def _named(name: str, folder: Path, _: Path) -> Path:
    return deflated(
        folder / "x.zip", [(name, png(9)), (f"{name}/{name}.png", png(8)), *((f"{i}.png", png(i)) for i in range(8))]
    )


def _patched(kind: str, folder: Path, victim: Path) -> Path:
    """A zip whose tables say something else."""
    path = _zip(lambda _: None, folder, victim)
    content = bytearray(path.read_bytes())
    first, last = content.find(b"PK\1\2"), content.rfind(b"PK\5\6")
    where = {
        "sizes that are too small": (first + 24, struct.pack("<I", 3)),
        "sizes of 4 GB": (first + 24, b"\xfe\xff\xff\xff"),
        "compressed sizes of 4 GB": (first + 20, b"\xfe\xff\xff\xff"),
        "another method": (first + 10, b"\x0e\0"),
        "encryption": (first + 8, b"\1\0"),
        "an offset far away": (first + 42, b"\xf0\xff\xff\xff"),
        "a wrong sum": (first + 16, b"abcd"),
        "65,535 entries": (last + 10, b"\xff\xff"),
        "a folder of 4 GB": (last + 12, b"\xf0\xff\xff\xff"),
        "a folder elsewhere": (last + 16, b"\0\0\0\0"),
        "a date of zeros": (first + 12, bytes(4)),
        "local names that differ": (content.find(b"PK\3\4") + 30, b"../"),
        "a comment of 64 kB": (last + 20, b"\xff\xff"),
        "a name of 64 kB": (first + 28, b"\xff\xff"),
        "a cut end": (len(content) - 9, b""),
        "version 99": (first + 6, b"\xff\xff"),
    }
    at, new = where[kind]
    content[at : at + len(new)] = new
    path.write_bytes(content[:at] if kind == "a cut end" else content)
    return path


PATCHES = (
    "sizes that are too small",
    "sizes of 4 GB",
    "compressed sizes of 4 GB",
    "another method",
    "encryption",
    "an offset far away",
    "a wrong sum",
    "65,535 entries",
    "a folder of 4 GB",
    "a folder elsewhere",
    "a date of zeros",
    "local names that differ",
    "a comment of 64 kB",
    "a name of 64 kB",
    "a cut end",
    "version 99",
)


def _overlapping(folder: Path, _: Path) -> Path:
    """20,000 entries that are all the same 30 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.png", bytes(30 << 20))
    content, count = out.getvalue(), 20_000
    first, last = content.find(b"PK\1\2"), content.rfind(b"PK\5\6")
    entry, end = content[first:last], bytearray(content[last:])
    many = b"".join(entry[:46] + b"%05d.png" % i + entry[51:] for i in range(count)).replace(
        b"\5\0\0\0\0\0\0\0\0\0\0\0\0\0", b"\x09\0\0\0\0\0\0\0\0\0\0\0\0\0"
    )
    end[8:12], end[12:16] = struct.pack("<HH", count, count), struct.pack("<I", len(many))
    (folder / "x.zip").write_bytes(content[:first] + many + bytes(end))
    return folder / "x.zip"


def _compressed(method: int, folder: Path, _: Path) -> Path:
    with zipfile.ZipFile(folder / "x.zip", "w", method) as archive:
        with archive.open("0.png", "w", force_zip64=True) as member:
            for part in zeros(200 << 20):
                member.write(part)
        archive.writestr("1.png", png(1))
    return folder / "x.zip"


def _odd(kind: str, name: str, folder: Path, victim: Path) -> Path:
    """Something that is no file in the place of one."""
    place = pictures(folder / "set")
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(path.name)
        finally:
            os.chdir(here)
    elif kind == "hole":
        with path.open("wb") as file:
            file.truncate(SPARSE)
    elif kind == "folder":
        (path / "inner").mkdir(parents=True)
    else:
        target = {
            "link": victim / "secret.txt",
            "dangling link": victim / "new",
            "link to zeros": Path("/dev/zero"),
            "link to the terminal": Path("/dev/tty"),
            "link to itself": path,
            "link to a folder": victim,
            "link to input": Path("/dev/stdin"),
            "link to memory": Path("/proc/self/mem"),
            "link to the kernel": Path("/proc/kmsg"),
            "link above": Path(".."),
            "link to maps": Path("/proc/self/maps"),
        }[kind]
        path.symlink_to(target)
    return path if name.startswith("../") else place


ODD = (
    "pipe",
    "socket",
    "hole",
    "folder",
    "link",
    "dangling link",
    "link to zeros",
    "link to the terminal",
    "link to itself",
    "link to a folder",
    "link to input",
    "link to memory",
    "link to the kernel",
    "link above",
    "link to maps",
)
PLACES = ("a.png", "labels.csv", "labels.json", "cat", "trainA", "train/a.png")
WHOLE = ("x.npz", "x.npy", "x.zip", "x.tar", "x.parquet", "x.txt", "x.jsonl", "x.csv")  # given themselves


def _deep(folder: Path, _: Path) -> Path:
    place, here = pictures(folder / "set"), Path.cwd()
    os.chdir(place)
    try:
        for _i in range(1500):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(here)
    return place


def _wide(kind: str, folder: Path, _: Path) -> Path:
    place = pictures(folder / "set")
    for i in range(20_000):
        if kind == "folders":
            (place / f"d{i}").mkdir()
        elif kind == "links":
            (place / f"l{i}.png").symlink_to("0.png")
        else:
            (place / f"f{i}.png").touch()
    return place


def _loops(folder: Path, _: Path) -> Path:
    """Folders with links to each other: 2^40 ways."""
    place = pictures(folder / "set")
    for i in range(40):
        (place / f"d{i}").mkdir()
    for i in range(39):
        for side in "ab":
            (place / f"d{i}" / side).symlink_to(place / f"d{i + 1}")
    return place


def _called(name: bytes, folder: Path, _: Path) -> Path:
    place = pictures(folder / "set")
    Path(os.fsdecode(os.fsencode(place) + b"/" + name)).mkdir()
    for i in range(4):
        shutil.copy(place / f"{i}.png", os.fsencode(place) + b"/" + name + b"/" + name[:200] + b"%d.png" % i)  # type: ignore[arg-type]
    return place


def _alone(name: str, content: bytes, folder: Path, _: Path) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def archives() -> list[Bait]:
    """Bad zips, in a fixed order."""
    out: list[Bait] = []
    for what, mode in KINDS.items():
        out.append(Bait(f"{what} in a zip", partial(_zip, partial(_members, "l{i}.png", b"/etc/passwd", 1, mode))))
    out.append(Bait("60,000 links in a zip", partial(_zip, partial(_members, "l{i}.png", b"0.png", 60_000, LINK))))
    out.append(Bait("60,000 folders in a zip", partial(_zip, partial(_members, "d{i}/", b"", 60_000, 0))))
    out.append(
        Bait(
            "60,000 empty pictures in a zip", partial(_zip, partial(_members, "e{i}.png", b"", 60_000, 0)), seconds=15.0
        )
    )
    out.append(
        Bait("60,000 texts in a zip", partial(_zip, partial(_members, "t{i}.txt", b"x", 60_000, 0)), seconds=5.0)
    )
    out.append(
        Bait("a path of 5,000 folders in a zip", partial(_zip, partial(_members, "d/" * 5000 + "x.png", png(), 1, 0)))
    )
    out.append(Bait("a zip in a zip", partial(_zip, partial(_members, "x.zip", b"PK\5\6" + bytes(18), 1, 0))))
    for name, size in (
        ("a.png", 300 << 20),
        ("a.png", 10 << 30),
        ("a.txt", 900 << 20),
        ("labels.csv", 240 << 20),
        ("labels.json", 240 << 20),
        ("a.npy", 2 << 30),
    ):
        out.append(Bait(f"{size >> 20:,} MB of zeros as {name} in a zip", partial(_big, name, size)))
    out += [
        Bait(f"a member called {name}", partial(_named, text[:30_000]))
        for name, text in NAMES.items()
        if name != "surrogate"
    ]
    out += [Bait(f"a zip with {kind}", partial(_patched, kind)) for kind in PATCHES]
    out.append(Bait("20,000 overlapping members", _overlapping))
    out += [
        Bait(f"a zip of {name}", partial(_compressed, method))
        for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA))
    ]
    return out


def folders() -> list[Bait]:
    """Bad folders, and files given themselves, in a fixed order."""
    out: list[Bait] = []
    out += [Bait(f"{kind} as {name}", partial(_odd, kind, name)) for name in PLACES for kind in ODD]
    out += [Bait(f"{kind} as the data set {name}", partial(_odd, kind, f"../{name}")) for name in WHOLE for kind in ODD]
    out.append(Bait("1,500 folders in each other", _deep))
    out += [
        Bait(f"20,000 {kind}", partial(_wide, kind), seconds=15.0) for kind in ("folders", "links", "empty pictures")
    ]
    out.append(Bait("folders that link to each other", _loops))
    for name, text in NAMES.items():
        content = os.fsencode(text)[:200] if name != "surrogate" else b"\xff\xfe"
        if content.strip(b".") and b"\0" not in content and b"/" not in content:
            out.append(Bait(f"a folder called {name}", partial(_called, content)))
    bomb = gzip.compress(bytes(200 << 20), 1)
    out += [
        Bait(f"{name} given itself", partial(_alone, name, content))
        for name, content in {
            "x.gz": bomb,
            "x.tar": bytes(10_240),
            "x.tar.gz": bomb,
            "x.pkl": b"cos\nsystem\n(S'touch owned'\ntR.",
            "x.pt": b"PK\3\4",
            "x.csv": b"file,label\n",
            "x.json": b"{}",
            "x.png": png(),
            "x.txt": b"a\n",
            "x.npz.png": b"PK\3\4",
            "x.mat": bytes(128),
            "x.h5": b"\x89HDF\r\n\x1a\n",
            "x.parquet": b"PAR1",
            "x.toml": b"[",
            "x": b"",
        }.items()
    ]
    return out


def random_file(rng: random.Random) -> Bait:
    """Several things of the above in one folder, or bytes of a good archive changed."""
    if rng.random() < 0.5:
        odd = [
            (
                rng.choice([k for k in ODD if k != "hole"]),
                f"{i}-{rng.choice(('a.png', 'b.jpg', 'labels.csv', 'train', 'x.txt'))}",
            )
            for i in range(rng.choice((2, 5, 20)))
        ]
        return Bait(f"random folder {odd}", partial(_several, odd))
    return Bait(f"random zip {rng.random()}", partial(_changed, rng.getrandbits(32)))


def _several(odd: list[tuple[str, str]], folder: Path, victim: Path) -> Path:
    for kind, name in odd:
        _odd(kind, name, folder, victim)
    return folder / "set"


def _changed(seed: int, folder: Path, victim: Path) -> Path:
    rng = random.Random(seed)
    path = _zip(lambda archive: archive.writestr("labels.csv", "file,label\n0.png,a\n1.png,b\n"), folder, victim)
    content = bytearray(path.read_bytes())
    start = content.find(b"PK\1\2") if rng.random() < 0.7 else 0
    for _ in range(rng.choice((1, 2, 5, 20))):
        content[rng.randrange(start, len(content))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    path.write_bytes(content)
    return path
