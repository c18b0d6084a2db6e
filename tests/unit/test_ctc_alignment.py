"""Alignment by CTC checkpoints: independent of the batch, right about whistled words, and part of the whole flow."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ml.alignment.aligner import NotAligned, Piece, Placed
from ml.alignment.ctc import emissions as emissions_module
from ml.alignment.ctc.aligner import CtcAligner
from ml.alignment.ctc.emissions import CtcEncoder
from ml.alignment.ctc.passes import Passes
from ml.alignment.ctc.vocabulary import Vocabulary
from ml.alignment.options import AlignOptions
from ml.alignment.recording import align_recording
from ml.alignment.registry import find_aligner
from tests.unit.ctc_models import NORMS, RATE, hearing_checkpoint, random_checkpoint, random_model, whistle

BLOCKS = "가나다라마바사아"
#: The trained model is right to a frame or two of 20 ms.
NEAR_S = 0.05


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads wait for one another longer than such small models take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def encoder(norm: str, *, do_normalize: bool = True, passes: Passes | None = None, **changes: Any) -> CtcEncoder:
    return CtcEncoder(random_model(9, norm=norm, **changes), do_normalize=do_normalize, passes=passes)


def noises(*lengths: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.standard_normal(n).astype(np.float32) for n in lengths]


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that hears whistled Hangul."""
    return hearing_checkpoint(tmp_path_factory.mktemp("hearing"), BLOCKS)


@pytest.fixture(scope="module")
def sentences() -> list[tuple[list[str], Any]]:
    rng = np.random.default_rng(8)
    made = []
    for seed in range(12):
        words = ["".join(rng.choice(list(BLOCKS), rng.integers(2, 5))) for _ in range(4)]
        made.append((words, whistle(words, BLOCKS, seed=900 + seed)))
    return made


@pytest.mark.parametrize("norm", list(NORMS))
@pytest.mark.parametrize("do_normalize", [True, False])
@pytest.mark.parametrize("apart", [True, False], ids=["as on a CPU", "as on a GPU"])
def test_emissions_are_the_same_in_any_company(norm: str, do_normalize: bool, apart: bool) -> None:
    passes = Passes(max_s=60.0, max_padding_s=1.0, convolve_apart=apart, round_s=60.0)
    model = encoder(norm, do_normalize=do_normalize, passes=passes)
    waves = noises(16_000, 7_001, 12_345, 400, 399, 0, 7_001, 15_999)
    for together, wave in zip(model.emissions(waves), waves, strict=True):
        (alone,) = model.emissions([wave])
        assert together.shape == alone.shape == (model.frames(len(wave)), 9)
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    assert model.frames(399) == 0 and model.frames(400) == 1


@pytest.mark.parametrize("norm", list(NORMS))
def test_emissions_are_those_of_the_library_for_one_piece(norm: str) -> None:
    (wave,) = noises(12_345)
    model = random_model(9, norm=norm)
    with torch.no_grad():
        expected = model(torch.from_numpy(wave)[None]).logits[0].log_softmax(-1)
    (emission,) = CtcEncoder(model, do_normalize=False).emissions([wave])
    torch.testing.assert_close(emission, expected, atol=1e-4, rtol=0)


def test_a_pass_is_bounded_in_seconds_and_in_padding() -> None:
    shapes: list[tuple[int, ...]] = []
    model = encoder("layer", passes=Passes(max_s=3.0, max_padding_s=0.05, convolve_apart=False, round_s=60.0))
    model.model.register_forward_pre_hook(lambda _module, args: shapes.append(tuple(args[0].shape)))
    model.emissions(noises(*[16_000] * 5, *[15_500] * 2, 12_000, *[4_000] * 3))
    assert shapes == [(3, 16_000), (3, 16_000), (1, 15_500), (1, 12_000), (3, 4_000)]


def test_on_a_cpu_convolutions_run_apart_and_the_layers_after_them_together() -> None:
    model = encoder("layer")
    convolved: list[tuple[int, ...]] = []
    encoded: list[tuple[int, ...]] = []
    wav2vec2 = model.model.wav2vec2
    first = next(module for module in wav2vec2.feature_extractor.modules() if isinstance(module, torch.nn.Conv1d))
    first.register_forward_pre_hook(lambda _module, args: convolved.append(tuple(args[0].shape)))
    wav2vec2.encoder.layers[0].register_forward_pre_hook(lambda _module, args: encoded.append(tuple(args[0].shape)))
    model.emissions(noises(16_000, 15_000))
    assert convolved == [(1, 1, 16_000), (1, 1, 15_000)]
    assert encoded == [(2, model.frames(16_000), 32)]


def test_a_long_piece_runs_in_windows_and_gets_all_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    model = encoder("layer", num_conv_pos_embeddings=4)
    (wave,) = noises(10 * RATE + 123)
    (whole,) = model.emissions([wave])
    longest: list[int] = []
    model.model.register_forward_pre_hook(lambda _module, args: longest.append(args[0].shape[1]))
    monkeypatch.setattr(emissions_module, "WINDOW_S", 2.0)
    monkeypatch.setattr(emissions_module, "CONTEXT_S", 0.5)
    (windowed,) = model.emissions([wave])
    assert max(longest) <= 3.1 * RATE
    assert windowed.shape == whole.shape
    # Attention sees a window instead of all, so frames are alike, not equal.
    assert (windowed.argmax(-1) == whole.argmax(-1)).float().mean() > 0.9


def test_a_checkpoint_with_an_adapter_has_longer_frames_and_no_padding() -> None:
    model = encoder("layer", add_adapter=True, num_adapter_layers=2, output_hidden_size=32)
    assert model.frame_s == pytest.approx(0.08)
    waves = noises(16_000, 14_900)
    for together, wave in zip(model.emissions(waves), waves, strict=True):
        (alone,) = model.emissions([wave])
        assert len(together) == model.frames(len(wave))
        torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


def test_half_precision_finds_the_same_letters() -> None:
    waves = noises(16_000, 9_000)
    exact = encoder("layer").emissions(waves)
    model = random_model(9).to(torch.bfloat16)
    for half, full in zip(CtcEncoder(model).emissions(waves), exact, strict=True):
        assert half.dtype == torch.float32
        assert (half.argmax(-1) == full.argmax(-1)).float().mean() > 0.9


class Scripted(CtcEncoder):
    """Hears what a script says instead of what sounds: the token of each frame, with a certainty."""

    def __init__(self, script: list[int], tokens: int, certainty: float = 0.999) -> None:
        super().__init__(random_model(tokens))
        self.script = torch.full((len(script), tokens), (1 - certainty) / (tokens - 1)).log()
        self.script[torch.arange(len(script)), torch.tensor(script)] = float(np.log(certainty))

    def emissions(self, waveforms: Any) -> list[torch.Tensor]:
        return [self.script for _ in waveforms]


def align_script(script: str, words: list[str], letters: str, language: str = "en") -> Placed | NotAligned:
    """`script` has a letter per frame; "." is blank and "|" the space."""
    vocabulary = Vocabulary({letter: 5 + i for i, letter in enumerate(letters)}, 0, 4)
    numbers = [{".": 0, "|": 4}[sign] if sign in ".|" else vocabulary.ids[sign] for sign in script]
    model = Scripted(numbers, 5 + len(letters))
    samples = np.zeros(400 + 320 * (len(script) - 1), dtype=np.float32)
    (placed,) = CtcAligner(model, vocabulary).align([Piece(samples, tuple(words), language)])
    return placed


def test_words_are_where_their_letters_are_heard() -> None:
    placed = align_script("..ab.b..|.aa...", ["ABB", "a"], "ab")
    assert isinstance(placed, Placed)
    assert [(w.text, w.start_s, w.end_s) for w in placed.words] == [("ABB", 0.04, 0.12), ("a", 0.2, 0.24)]
    assert [w.confidence for w in placed.words] == [0.999, 0.999]
    assert placed.fit == 1.0 and placed.phones is None and placed.syllables is None


def test_hangul_blocks_are_syllables_that_follow_one_another_within_a_word() -> None:
    placed = align_script("..가..나.|.다..", ["가나", "다"], "가나다", "ko")
    assert isinstance(placed, Placed) and placed.syllables is not None
    assert [(s.label, s.start_s, s.end_s) for s in placed.syllables] == [
        ("가", 0.04, 0.1),
        ("나", 0.1, 0.12),
        ("다", 0.18, 0.2),
    ]


def test_blocks_written_in_jamo_have_one_time_each() -> None:
    placed = align_script(".ㄱㅏㅂ..ㄴㅗ.", ["갑노"], "ㄱㅏㅂㄴㅗ", "ko")
    assert isinstance(placed, Placed) and placed.syllables is not None
    assert [(s.label, s.start_s, s.end_s) for s in placed.syllables] == [("갑", 0.02, 0.12), ("노", 0.12, 0.16)]


def test_a_word_that_cannot_be_written_is_where_something_else_is_heard() -> None:
    placed = align_script("ab|..cccdd..|ba.", ["ab", "中文", "ba"], "abcd")
    assert isinstance(placed, Placed)
    assert [(w.text, w.start_s, w.end_s) for w in placed.words] == [
        ("ab", 0.0, 0.04),
        ("中文", 0.04, 0.26),
        ("ba", 0.26, 0.3),
    ]
    assert [w.confidence is None for w in placed.words] == [False, True, False]
    assert placed.fit == 1.0


def test_somebody_elses_text_is_not_aligned() -> None:
    assert isinstance(align_script("ab.cd.|.bb.dc", ["dacb", "ada"], "abcd"), NotAligned)


def test_a_neighbours_voice_at_the_edges_does_not_count_against_the_text() -> None:
    placed = align_script("dcdc....ab.ba.|.aba....cd", ["abba", "aba"], "abcd")
    assert isinstance(placed, Placed) and placed.fit == 1.0
    assert isinstance(align_script("....ab.ba.dcdc|dcdc.aba....", ["abba", "aba"], "abcd"), NotAligned)


def test_text_with_more_speech_around_it_is_found_when_it_is_long_enough() -> None:
    around = "cdcdcdccdcdc.dcdcdcdcd"
    placed = align_script(f"{around}.ababab|ab.bab.{around}", ["ababab", "abbab"], "abcd")
    assert isinstance(placed, Placed)
    assert placed.words[0].start_s == pytest.approx((len(around) + 1) * 0.02)
    assert placed.words[1].end_s == pytest.approx((len(around) + 14) * 0.02)
    assert isinstance(align_script(f"{around}.ab.{around}", ["ab"], "abcd"), NotAligned)


def test_phones_come_from_a_phonetic_vocabulary() -> None:
    sounds = "hələʊʃɪθŋɔɹkæt"
    placed = align_script(".kk.ææ.t.", ["cat"], "".join(dict.fromkeys(sounds)))
    assert isinstance(placed, Placed) and placed.phones is not None
    assert [(p.label, p.start_s, p.end_s) for p in placed.phones] == [
        ("K", 0.02, 0.08),
        ("AE", 0.08, 0.14),
        ("T", 0.14, 0.16),
    ]


@pytest.mark.parametrize(
    ("script", "words", "reason"),
    [
        ("ab", [], "nothing"),
        ("ab", ["abababab"], "too long for the audio"),
        ("ab.ab", ["да", "нет"], "language"),
        ("ab.ab", ["ж"], "language"),
    ],
)
def test_what_cannot_be_aligned_says_why_in_its_place(script: str, words: list[str], reason: str) -> None:
    refused = align_script(script, words, "ab")
    assert isinstance(refused, NotAligned) and reason in str(refused)


def test_a_piece_too_short_or_too_long_does_not_disturb_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.alignment.ctc.aligner.MAX_BYTES", {"cpu": 200_000})
    aligner = find_aligner(f"ctc:{random_checkpoint(tmp_path)}")
    pieces = [Piece(wave, ("well",), "en") for wave in noises(100, 2 * RATE, 60 * RATE)]
    short, _, long = aligner.align(pieces)
    assert isinstance(short, NotAligned)
    assert isinstance(long, NotAligned) and "too long for one search" in str(long)


def test_words_of_a_trained_checkpoint_are_where_they_were_whistled(
    hearing: Path, sentences: list[tuple[list[str], Any]]
) -> None:
    aligner = find_aligner(f"ctc:{hearing}")
    placed = aligner.align([Piece(said.samples, tuple(words), "ko") for words, said in sentences])
    errors, syllables = [], 0
    for (words, said), found in zip(sentences, placed, strict=True):
        assert isinstance(found, Placed)
        assert [word.text for word in found.words] == words
        for word, (start, end) in zip(found.words, said.words, strict=True):
            errors += [abs(word.start_s - start), abs(word.end_s - end)]
            assert word.confidence is not None and word.confidence > 0.3
        assert found.syllables is not None
        assert [s.label for s in found.syllables] == list("".join(words))
        syllables += sum(
            abs(s.start_s - start) < NEAR_S
            for s, (start, _) in zip(found.syllables, [at for own in said.letters for at in own], strict=True)
        )
    assert np.mean(np.array(errors) < NEAR_S) > 0.95
    assert syllables > 0.9 * sum(len("".join(words)) for words, _ in sentences)


def test_the_text_of_another_recording_is_recognised(hearing: Path, sentences: list[tuple[list[str], Any]]) -> None:
    others = [*sentences[1:], sentences[0]]
    pieces = [Piece(said.samples, tuple(words), "ko") for (words, _), (_, said) in zip(sentences, others, strict=True)]
    assert all(isinstance(found, NotAligned) for found in find_aligner(f"ctc:{hearing}").align(pieces))


def test_pieces_get_together_what_they_get_alone(hearing: Path, sentences: list[tuple[list[str], Any]]) -> None:
    align = find_aligner(f"ctc:{hearing}").align
    pieces = [Piece(said.samples, tuple(words), "ko") for words, said in sentences]
    for piece, together in zip(pieces, align(pieces), strict=True):
        (alone,) = align([piece])
        assert isinstance(alone, Placed) and isinstance(together, Placed)
        assert [(w.text, w.start_s, w.end_s) for w in alone.words] == [
            (w.text, w.start_s, w.end_s) for w in together.words
        ]
        assert alone.fit == pytest.approx(together.fit, abs=1e-3)


def recording(folder: Path, words: list[str], alphabet: str) -> tuple[Path, Path, list[tuple[float, float]]]:
    """A recording of two turns with its timed transcript, and when each word is whistled."""
    said = whistle(words, alphabet, seed=5)
    half = len(words) // 2
    cut = (said.words[half - 1][1] + said.words[half][0]) / 2
    end = len(said.samples) / RATE
    soundfile.write(folder / "call.wav", said.samples, RATE)
    lines = [f"0.05 {cut:.2f} [A] {' '.join(words[:half])}", f"{cut:.2f} {end:.2f} [B] {' '.join(words[half:])}"]
    (folder / "call.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder / "call.wav", folder / "call.txt", said.words


def test_a_korean_recording_has_words_and_syllables_with_times(hearing: Path, tmp_path: Path) -> None:
    words = ["가나다", "라마", "바사아가", "나라", "다마바", "사아"]
    audio, transcript, times = recording(tmp_path, words, BLOCKS)

    alignment = align_recording(audio, transcript, AlignOptions(aligner=f"ctc:{hearing}", language="ko"))

    assert alignment.language == "ko" and len(alignment.utterances) == 2
    assert all(u.quality is None and u.words and u.syllables for u in alignment.utterances)
    found = [word for u in alignment.utterances for word in u.words or ()]
    assert [word.text for word in found] == words
    for word, (start, _) in zip(found, times, strict=True):
        assert word.start_s == pytest.approx(start, abs=0.1)


def test_the_transcript_of_another_recording_is_not_believed(hearing: Path, tmp_path: Path) -> None:
    audio, transcript, _ = recording(tmp_path, ["가나다", "라마", "바사아가", "나라"], BLOCKS)
    transcript.write_text("0.05 1.5 [A] 마마마 사사사\n1.5 3.5 [B] 아아 마마 아아", encoding="utf-8")
    alignment = align_recording(audio, transcript, AlignOptions(aligner=f"ctc:{hearing}", language="ko"))
    assert all(u.words is None for u in alignment.utterances)


def test_a_polish_recording_has_words_with_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Random weights hear nothing in particular; this is about letters, spaces and the flow.
    monkeypatch.setattr("ml.alignment.ctc.aligner.MIN_FIT", 0.0)
    checkpoint = random_checkpoint(
        tmp_path / "checkpoint", "aąbcćdeęfghijklłmnńoóprsśtuwyzźż", norm="group", mask=False
    )
    words = ["Zażółć", "gęślą", "jaźń", "dzień", "dobry", "Łódź"]
    audio, transcript, _ = recording(tmp_path, ["abc"] * 6, "abc")
    turns = transcript.read_text().replace("abc abc abc", " ".join(words[:3]), 1)
    transcript.write_text(turns.replace("abc abc abc", " ".join(words[3:])), encoding="utf-8")

    alignment = align_recording(audio, transcript, AlignOptions(aligner=f"ctc:{checkpoint}", language="pl"))

    found = [word for u in alignment.utterances for word in u.words or ()]
    assert [word.text for word in found] == words
    assert all(a.start_s < a.end_s <= b.start_s + 0.32 for a, b in itertools.pairwise(found))
    assert alignment.aligner == f"ctc:{checkpoint}"
