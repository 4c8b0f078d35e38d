"""One HTML page with the model and ONNX Runtime Web inside: it opens from the disk, without a network.

The page draws samples from seeds and walks between them, writes lines, or maps a picture that is dropped on it. Its runtime, compiled to
WebAssembly, is part of gancli (`page/`, MIT license), so that nothing is downloaded when a page is written or opened.
"""

from __future__ import annotations

import base64
import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from gancli.export.contracts import Export, Runner, Source
from gancli.export.formats.onnx import model_bytes, session

RUNTIME_VERSION = "1.30.0"  # of onnxruntime-web
PAGE = files("gancli.export") / "page"
MODEL = re.compile(r'id="model">([\w+/=]*)<')
HEAVY = 20_000_000  # bytes


class Html(Export):
    name = "html"
    suffix: ClassVar[str] = ".html"
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxscript", "onnxruntime")

    def write(self, source: Source, path: Path) -> None:
        values = {
            "title": html.escape(source.name),
            "runtime_version": RUNTIME_VERSION,
            "facts": json.dumps(source.facts).replace("<", "\\u003c"),
            "model": _text(model_bytes(source)),
            "wasm": _text((PAGE / "ort-wasm-simd-threaded.wasm.gz").read_bytes()),
            "runtime": _text((PAGE / "ort.wasm.bundle.min.mjs").read_bytes()),
            "seeds": (PAGE / "seeds.js").read_text(),
            "text": (PAGE / "text.js").read_text(),
            "app": (PAGE / "app.js").read_text(),
        }
        page = re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], (PAGE / "page.html").read_text())
        path.write_text(page)
        if (size := path.stat().st_size) > HEAVY:
            source.note(f"the page has {size / 1e6:.0f} MB, nearly all of them weights: browsers may open it slowly")

    def runner(self, source: Source, path: Path) -> Runner | None:  # noqa: ARG002
        """The model within the page, in onnxruntime; the tests open the page itself in a browser."""
        found = MODEL.search(path.read_text())
        assert found is not None
        return session(base64.b64decode(found[1]))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
