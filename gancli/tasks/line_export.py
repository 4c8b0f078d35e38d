"""Modules that write lines, for export: their inputs, the vocabulary, and the tokenizer as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gancli.core.exportable import Draw, Exportable
from gancli.core.specs import Tokens
from gancli.data.tokens import UNKNOWN, Vocabulary

END = "</s>"


def vocabulary_of(spec: Tokens) -> Vocabulary:
    """The vocabulary of the data; of tokens that stand for nothing, one character each."""
    return Vocabulary(spec.words or tuple(chr(0x2800 + i) for i in range(spec.vocabulary)), spec.separator)


def exportable(
    module: nn.Module, draws: Mapping[str, Draw], classes: int, spec: Tokens, prompted: bool = True
) -> Exportable:
    """A module for export whose output are tokens.

    Args:
        module: takes what is drawn, `temperature` float64 [N], `prompt` int64 [N, L] if it is prompted, and `label` int64 [N]
            if it is conditional.
        draws: how its first inputs are drawn from a seed.
        classes: of labels; 0: unconditional.
        spec: of the data.
        prompted: whether lines may begin with given tokens.
    """
    inputs: dict[str, Tensor] = {
        name: torch.zeros(2, how.width, dtype=torch.float64 if how.unit else torch.float32)
        for name, how in draws.items()
    }
    inputs["temperature"] = torch.tensor([1.0, 0.8], dtype=torch.float64)
    defaults = {"temperature": 1.0}
    if prompted:
        inputs["prompt"] = torch.zeros(2, spec.length, dtype=torch.int64)
        inputs["prompt"][1, 0] = spec.vocabulary - 1
        defaults["prompt"] = 0
    if classes:
        inputs["label"] = torch.zeros(2, dtype=torch.int64)
    vocabulary = vocabulary_of(spec)
    facts = {"words": list(vocabulary.words), "separator": spec.separator, "seeds_per_class": 1}
    return Exportable(
        module.eval(), inputs, {name: (how,) for name, how in draws.items()}, output="tokens", elements="tokens",
        defaults=defaults, facts=facts, files={".tokenizer.json": tokenizer(vocabulary)},
    )  # fmt: skip


def tokenizer(vocabulary: Vocabulary) -> bytes:
    """The vocabulary in the format of the library `tokenizers`: a token is a word between spaces, or a grapheme cluster."""
    end = END
    while end in vocabulary.numbers:
        end = f"<{end}>"
    split = {"type": "Split", "pattern": {"Regex": "\\X"}, "behavior": "Isolated", "invert": False}
    special = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": 0, "content": end, **special, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"} if vocabulary.separator else split,
        "post_processor": None,
        "decoder": None if vocabulary.separator else {"type": "Fuse"},
        "model": {
            "type": "WordLevel",
            "vocab": {end: 0, **vocabulary.numbers},
            "unk_token": vocabulary.words[UNKNOWN],
        },
    }
    return json.dumps(content, ensure_ascii=False).encode()
