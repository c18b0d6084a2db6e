"""What the outputs of a checkpoint stand for: letters, Hangul blocks, jamo or phones. Needs no torch."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.checkpoints import read_json
from ml.checkpoints.errors import CheckpointWithoutVocabulary

_BRACKETED = re.compile(r"<.+>|\[.+\]")
#: Signs of the phonetic alphabet. Several languages write with one to five of them, none with six.
_IPA_SIGNS = frozenset("əɪʃŋɛʊθɹʌɔɑɡʒɾɜɐ")
_ARPABET_PAIRS = frozenset(
    ["AA", "AE", "AH", "AO", "AW", "AY", "CH", "DH", "EH", "ER", "EY", "HH", "IH", "IY", "JH", "NG", "OW", "OY", "SH"]
)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`ids` of what can be spoken, without special tokens; `blank` is CTC's; `delimiter` stands between words."""

    ids: dict[str, int]
    blank: int
    delimiter: int | None

    @property
    def phonetic(self) -> bool:
        """Whether it writes sounds (IPA or ARPAbet) instead of letters."""
        pairs = {token.upper().rstrip("012") for token in self.ids} & _ARPABET_PAIRS
        signs = {sign for token in self.ids for sign in token} & _IPA_SIGNS
        return len(signs) >= 6 or len(pairs) > len(_ARPABET_PAIRS) / 2


def read_vocabulary(folder: Path, config: dict[str, Any]) -> Vocabulary:
    """The vocabulary of a checkpoint whose `config.json` is given; raises `CheckpointWithoutVocabulary`.

    CTC's blank is the padding token (transformers, `Wav2Vec2ForCTC` and `Wav2Vec2CTCTokenizer`).
    """
    listed = read_json(folder, "vocab.json")
    if listed is None:
        raise CheckpointWithoutVocabulary(f"the checkpoint in {folder} has no vocab.json")
    ids = {**listed, **(read_json(folder, "added_tokens.json") or {})}
    if not all(isinstance(number, int) for number in ids.values()):
        raise CheckpointWithoutVocabulary(
            f"vocab.json in {folder} lists several languages instead of one",
            hint="Save the checkpoint for one language (target_lang) with its tokenizer, and name that folder.",
        )
    size = int(config.get("vocab_size", 0))
    settings = {
        **(read_json(folder, "special_tokens_map.json") or {}),
        **(read_json(folder, "tokenizer_config.json") or {}),
    }
    named = {role: _content(settings.get(f"{role}_token")) for role in ("pad", "unk", "bos", "eos", "word_delimiter")}
    blank = ids.get(named["pad"] or "", config.get("pad_token_id"))
    if not isinstance(blank, int) or not 0 <= blank < size:
        raise CheckpointWithoutVocabulary(f"the vocabulary in {folder} has no padding token, which is CTC's blank")
    delimiter = ids.get(named["word_delimiter"] or "|")
    special = {token for token in named.values() if token}
    spoken = {
        token: number
        for token, number in ids.items()
        if number not in (blank, delimiter)
        and number < size
        and token not in special
        and not _BRACKETED.fullmatch(token)
    }
    if not spoken:
        raise CheckpointWithoutVocabulary(f"the vocabulary in {folder} holds nothing that can be spoken")
    return Vocabulary(spoken, blank, delimiter if delimiter is not None and delimiter < size else None)


def _content(token: object) -> str | None:
    """A special token as its file writes it: plain, or as an object."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None
