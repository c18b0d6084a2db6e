"""Text encoders that learned nothing, to compare published ones with."""

import pytest

from ml.encoders.source import weights_sha256
from ml.encoders.text import TextEncoder
from ml.encoders.untrained import FAMILIES
from ml.errors import ModelError


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_untrained_text_encoders_are_the_same_every_time(family: str) -> None:
    from ml.encoders.untrained import untrained_folder

    encoder, weights = TextEncoder.load(f"untrained:{family}"), weights_sha256(f"untrained:{family}")
    untrained_folder.cache_clear()

    vectors = encoder.encode(["I am so happy.", ""])
    assert vectors[0].shape == (5, encoder.hidden_size) and len(vectors[1]) == 0
    assert weights_sha256(f"untrained:{family}") == weights


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(ModelError, match="no untrained encoder of the family gpt"):
        TextEncoder.load("untrained:gpt")
