"""The picture of an alignment: what is on it, in which letters, and how a long recording is reduced."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.alignment.types import Alignment, Phone, Speaker, Utterance, Word
from ml.audio.reader import Audio, open_audio
from ops.drawing import lettering as fonts
from ops.drawing.alignment import _Picture, save_alignment
from ops.drawing.lettering import lettering
from ops.drawing.lines import broken, marks, ticks
from ops.drawing.sound import columns_of

RATE = 16_000


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds: 1 kHz in the first half, silence after it."""
    path = tmp_path_factory.mktemp("drawing") / "tone.wav"
    at = np.arange(40 * RATE) / RATE
    soundfile.write(path, np.where(at < 20, 0.5 * np.sin(2 * np.pi * 1000 * at), 0), RATE)
    return path


def spoken(text: str = "good morning") -> Alignment:
    """One speaker who says the same every ten seconds."""
    one = Speaker("Ruth", named=True, embedding=np.zeros(256, np.float32))
    utterances = [
        Utterance(
            n, "Ruth", 10.0 * n + 1, 10.0 * n + 3, text=text,
            words=tuple(Word(w, 10.0 * n + 1 + i, 10.0 * n + 2 + i) for i, w in enumerate(text.split())),
            phones=(Phone("G", 10.0 * n + 1, 10.0 * n + 1.5),),
            quality="words_not_aligned" if n else None,
        )
        for n in range(4)
    ]  # fmt: skip
    return Alignment(40.0, "pocketsphinx", "en", {"Ruth": one}, tuple(utterances))


def written(alignment: Alignment, start_s: float, end_s: float) -> list[str]:
    """All that is written on the picture of a stretch."""
    lines = broken(start_s, end_s, whole_s=15.0)
    heard = [u for u in alignment.utterances if any(line.hears(u.start_s, u.end_s) for line in lines)]
    picture = _Picture(lines, heard, list(alignment.speakers), lettering(u.text or "" for u in heard))
    silence = columns_of(Audio.of(np.zeros((1, 40 * RATE), np.float32)), 0, 1, 10)
    with tempfile.TemporaryDirectory() as folder:
        picture.save([silence] * len(lines), "title", Path(folder) / "picture.png")
    return [item.get_text() for item in picture.figure.findobj(lambda a: hasattr(a, "get_text"))]


def test_the_picture_is_a_png_of_the_whole_recording_or_a_part(tone: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.png", tmp_path / "part.png"
    save_alignment(tone, spoken(), "auto", whole)
    save_alignment(tone, spoken(), "auto", part, 0.5, 4.0)

    assert whole.read_bytes()[:8] == part.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(whole.read_bytes()[i : i + 4]) for i in (16, 20))
    assert width == int.from_bytes(part.read_bytes()[16:20])
    assert height > int.from_bytes(part.read_bytes()[20:24]), "forty seconds take three lines"


def test_a_short_stretch_shows_words_and_a_shorter_one_phones() -> None:
    wide, near = written(spoken(), 0, 12), written(spoken(), 0, 6)

    assert {"good", "morning", "good morning"} <= set(wide)
    assert "G" not in wide
    assert {"good", "morning", "G"} <= set(near)


def test_a_long_stretch_shows_utterances_and_says_how_to_see_words() -> None:
    alignment = spoken()
    long = Alignment(600.0, "x", "en", alignment.speakers, alignment.utterances)
    found = written(long, 0, 600)

    assert "good" not in found
    assert any("up to 15 s" in text for text in found)


def test_text_is_cut_to_its_room_instead_of_running_over_its_neighbour() -> None:
    found = written(spoken("incomprehensibilities " * 40), 0, 40)
    cut = [text for text in found if text.endswith("…")]
    assert cut and all(len(text) < 200 for text in cut)


def test_a_dollar_is_a_dollar_and_no_formula() -> None:
    assert "$5_x$" in written(spoken("$5_x$ more"), 0, 12)


def test_letters_that_no_font_has_are_written_in_latin_ones_and_the_picture_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only_base = fonts._files()[fonts.BASE]
    monkeypatch.setattr(fonts, "_files", lambda: {fonts.BASE: only_base})
    found = written(spoken("안녕 Zoë"), 0, 12)

    assert {"AnNyeong", "Zoë"} <= set(found)
    assert any("transliterated" in text for text in found)


def test_a_font_that_has_the_letters_is_preferred_to_latin_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = {"base": frozenset("abc"), "hangul": frozenset("안녕")}
    monkeypatch.setattr(fonts, "_files", lambda: {fonts.BASE: "base", "Some Hangul": "hangul"})
    monkeypatch.setattr(fonts, "_letters", letters.__getitem__)

    assert lettering(["안녕"]).families == (fonts.BASE, "Some Hangul")
    assert lettering(["안녕"])("안녕") == "안녕"
    assert lettering(["abc"]).families == (fonts.BASE,), "other fonts are not looked at without need"


def test_columns_show_where_it_is_loud_and_how_high(tone: Path) -> None:
    with open_audio(tone) as audio:
        sound = columns_of(audio, 0.0, 40.0, 100)

    assert sound.high[:49].min() > 0.45 and sound.low[:49].max() < -0.45
    assert sound.high[51:].max() < 1e-3
    hz = sound.power_db[:, 10].argmax() * RATE / 512
    assert abs(hz - 1000) < 32
    assert sound.power_db[:, 10].max() > sound.power_db[:, 80].max() + 60


def test_columns_do_not_depend_on_how_much_is_read_at_once(tone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_audio(tone) as audio:
        whole = columns_of(audio, 0.0, 40.0, 200)
        monkeypatch.setattr("ops.drawing.sound.BLOCK_S", 3.0)
        pieces = columns_of(audio, 0.0, 40.0, 200)

    np.testing.assert_allclose(pieces.high, whole.high, atol=1e-6)
    np.testing.assert_allclose(pieces.power_db, whole.power_db, atol=1e-3)


def test_columns_finer_than_a_sample_and_behind_the_end_are_possible(tone: Path) -> None:
    with open_audio(tone) as audio:
        assert columns_of(audio, 1.0, 1.01, 500).high.shape == (500,)
        assert columns_of(audio, 39.0, 45.0, 50).high[-10:].max() == 0.0


@pytest.mark.parametrize(("length_s", "lines"), [(0.0, 1), (10, 1), (15, 1), (38, 3), (600, 10), (36_000, 10)])
def test_a_stretch_becomes_a_few_lines_that_cover_it(length_s: float, lines: int) -> None:
    found = broken(7.0, 7.0 + length_s, whole_s=15.0)

    assert len(found) == lines
    assert found[0].start_s == 7.0 and found[-1].end_s == pytest.approx(7.0 + max(length_s, 0.1))
    assert all(1 <= len(ticks(line)) <= 17 for line in found[:1])
    assert len(set(marks(ticks(found[0])))) == len(ticks(found[0]))
