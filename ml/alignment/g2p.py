"""From letters to phones for English words that no dictionary has.

The network of g2p-en (Park and Kim 2019: one GRU reads the letters, another writes the phones; trained on CMUdict),
run in torch. The package's own code asks the network for data when it is imported, so only its weights are used.
"""

import functools
from typing import TYPE_CHECKING

import numpy as np

from ml.alignment.phones import ARPABET, VOWELS
from ml.pinned import G2P_EN, verify

if TYPE_CHECKING:
    import torch
    from torch import nn

#: Rows of the weights' tables. <pad> and <unk> are never used here.
_LETTERS = ("<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz")
#: No word has more phones.
MAX_PHONES = 24


def _phones() -> list[str]:
    """The phones in the order of the weights: by name, vowels once for each stress, UW also without."""
    names: list[str] = []
    for name in sorted(ARPABET):
        if name in VOWELS:
            names += [name] * (4 if name == "UW" else 3)
        else:
            names.append(name)
    return ["<pad>", "<unk>", "<s>", "</s>", *names]


class _Network:
    def __init__(self, weights: dict[str, "torch.Tensor"]) -> None:
        from torch import nn

        self.letters, self.phones = weights["enc_emb"], weights["dec_emb"]
        self.encoder: nn.GRUCell = _cell(weights, "enc")
        self.decoder: nn.GRUCell = _cell(weights, "dec")
        self.out = weights["fc_w"], weights["fc_b"]
        self.names = _phones()

    def read(self, word: str) -> list[str]:
        import torch

        with torch.inference_mode():
            state = torch.zeros(1, self.encoder.hidden_size)
            for letter in (*word, "</s>"):
                state = self.encoder(self.letters[None, _LETTERS.index(letter)], state)
            said: list[str] = []
            index = self.names.index("<s>")
            while len(said) < MAX_PHONES:
                state = self.decoder(self.phones[None, index], state)
                index = int((state @ self.out[0].T + self.out[1]).argmax())
                if self.names[index] == "</s>":
                    break
                if not self.names[index].startswith("<"):
                    said.append(self.names[index])
        return said


def _cell(weights: dict[str, "torch.Tensor"], side: str) -> "nn.GRUCell":
    from torch import nn

    inner, letters = weights[f"{side}_w_hh"].shape[1], weights[f"{side}_emb"].shape[1]
    cell = nn.GRUCell(letters, inner)
    cell.load_state_dict({f"{kind}_{way}": weights[f"{side}_{kind[0]}_{way}"] for kind in ("weight", "bias")
                          for way in ("ih", "hh")})  # fmt: skip
    return cell


@functools.cache
def _network() -> _Network:
    import torch

    with np.load(verify(G2P_EN)[0], allow_pickle=False) as arrays:
        return _Network({name: torch.from_numpy(arrays[name]) for name in arrays.files})


def preload() -> None:
    """Load the weights now instead of at the first unknown word."""
    _network()


def letters_to_phones(word: str) -> list[str]:
    """ARPAbet phones without stress of a word in the letters a to z (others are left out); [] for none."""
    letters = "".join(c for c in word.lower() if "a" <= c <= "z")
    return _network().read(letters) if letters else []
