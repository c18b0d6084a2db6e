"""Many pieces and their words in, times out: spelling, emissions, search and placing joined."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from ml.alignment.aligner import NotAligned, Piece, Placed
from ml.alignment.ctc.emissions import CtcEncoder
from ml.alignment.ctc.placing import place
from ml.alignment.ctc.spelling import Spelling, spell
from ml.alignment.ctc.viterbi import MAX_BYTES, best_paths, search_bytes
from ml.alignment.ctc.vocabulary import Vocabulary
from ml.encoders.speech import SAMPLE_RATE

#: Below, the text is not what is said. Per letter, right texts lose at most e⁻³·⁴ and wrong ones at least e⁻¹⁵ with the
#: trained model of the tests; larger models are surer still, and the room is for noise and slips of the tongue.
MIN_FIT = 0.01
#: The same for a text with more said around it, whose letters have all the piece to choose from: e⁻²·⁴ and e⁻³·⁶.
MIN_FIT_AMONG_OTHERS = 0.1
#: Texts whose letters are mostly not in the vocabulary are in another script.
MIN_KNOWN = 0.5
#: A piece that does not fit may have more said around its text. Shorter texts would be found anywhere.
MIN_LETTERS_AMONG_OTHERS = 10


class CtcAligner:
    """A loaded checkpoint with its vocabulary."""

    def __init__(self, encoder: CtcEncoder, vocabulary: Vocabulary) -> None:
        self.encoder, self.vocabulary = encoder, vocabulary

    def align(self, pieces: Sequence[Piece]) -> list[Placed | NotAligned]:
        """Place the words of each piece. What a piece gets does not depend on the others (1e-4 in float32)."""
        found: list[Placed | NotAligned] = [NotAligned("nothing to align") for _ in pieces]
        spelt: dict[int, Spelling] = {}
        for index, piece in enumerate(pieces):
            spelling = spell(piece.words, piece.language, self.vocabulary)
            if refused := self._refusal(piece, spelling):
                found[index] = refused
            else:
                spelt[index] = spelling
        for together in self._rounds(pieces, spelt):
            own = [pieces[index] for index in together]
            for index, placed in zip(together, self._place(own, [spelt[index] for index in together]), strict=True):
                found[index] = placed
        return found

    def _refusal(self, piece: Piece, spelling: Spelling) -> NotAligned | None:
        frames = self.encoder.frames(len(piece.samples))
        if not frames or not spelling.units:
            return NotAligned("nothing to align")
        if not spelling.letters or spelling.known < MIN_KNOWN:
            return NotAligned("the checkpoint does not write this language")
        size = search_bytes(frames, len(spelling.tokens) + 2, self.encoder.model.config.vocab_size)
        if size > MAX_BYTES[self.encoder.device.type]:
            return NotAligned("the audio is too long for one search")
        return None

    def _rounds(self, pieces: Sequence[Piece], spelt: dict[int, Spelling]) -> Iterator[list[int]]:
        """Pieces that are worked on together, similar lengths beside each other."""
        budget = self.encoder.passes.round_s * SAMPLE_RATE
        group: list[int] = []
        heard = 0
        for index in sorted(spelt, key=lambda index: -len(pieces[index].samples)):
            samples = len(pieces[index].samples)
            if group and heard + samples > budget:
                yield group
                group, heard = [], 0
            group.append(index)
            heard += samples
        if group:
            yield group

    def _place(self, pieces: list[Piece], spelt: list[Spelling]) -> list[Placed | NotAligned]:
        emissions = self.encoder.emissions([piece.samples for piece in pieces])
        found = self._search(pieces, spelt, emissions, MIN_FIT)
        # What does not fit may still be there, with more said around it than was written.
        again = [
            index
            for index, placed in enumerate(found)
            if isinstance(placed, NotAligned) and spelt[index].letters >= MIN_LETTERS_AMONG_OTHERS
        ]
        starred = [spelt[index].between_stars() for index in again]
        own, heard = [pieces[index] for index in again], [emissions[index] for index in again]
        for index, placed in zip(again, self._search(own, starred, heard, MIN_FIT_AMONG_OTHERS), strict=True):
            found[index] = placed
        return found

    def _search(
        self, pieces: Sequence[Piece], spelt: Sequence[Spelling], emissions: Sequence[Tensor], least: float
    ) -> list[Placed | NotAligned]:
        targets = [[token.id for token in spelling.tokens] for spelling in spelt]
        found: list[Placed | NotAligned] = []
        for piece, spelling, trace in zip(
            pieces, spelt, best_paths(emissions, targets, self.vocabulary.blank), strict=True
        ):
            if trace is None:
                found.append(NotAligned("the text is too long for the audio"))
                continue
            placed = place(trace, spelling, piece.words, self.encoder.frame_s, self.vocabulary.phonetic)
            found.append(placed if placed.fit >= least else NotAligned("the audio does not sound like the text"))
        return found
