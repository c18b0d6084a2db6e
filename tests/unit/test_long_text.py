"""Long texts placed window by window: linear, and back on the way after what does not match."""

from ml.alignment.aligner import Aligner, NotAligned
from ml.alignment.long_text import Found, place_long
from ml.alignment.speech_time import SpeechTime
from tests.unit.scripted_aligner import Script


def sentences(first: int, count: int, length: int = 8) -> list[list[str]]:
    return [[f"w{s}x{i}" for i in range(length)] for s in range(first, first + count)]


def search(script: Script, words: list[str]) -> Found:
    return place_long(script.read, SpeechTime(script.segments), words, script.aligner, "en")


def flat(parts: list[list[str]]) -> list[str]:
    return [word for part in parts for word in part]


def right(found: Found, words: list[str], script: Script) -> list[str]:
    """The words that were put where they are said."""
    truth = {word: start for word, start, _ in script.said}
    return [
        text
        for text, word in zip(words, found.words, strict=True)
        if word is not None and text in truth and abs(word.start_s - truth[text]) < 0.05
    ]


def test_every_word_of_half_an_hour_is_placed_in_bounded_windows_and_linear_time() -> None:
    script = Script()
    said = sentences(0, 600)
    for sentence in said:
        script.say(sentence)
    assert script.segments[-1][1] > 1600
    found = search(script, flat(said))
    assert right(found, flat(said), script) == flat(said)
    assert max(seconds for _, seconds in script.pieces) < 60
    assert sum(seconds for _, seconds in script.pieces) < 2.5 * script.segments[-1][1]


def test_words_go_on_after_a_minute_of_music() -> None:
    script, said = Script(), sentences(0, 40)
    for sentence in said[:15]:
        script.say(sentence)
    script.rest(60)
    for sentence in said[15:]:
        script.say(sentence)
    assert right(search(script, flat(said)), flat(said), script) == flat(said)


def test_speech_that_the_text_does_not_hold_is_passed_over() -> None:
    script, said, other = Script(), sentences(0, 40), sentences(1000, 12)
    for sentence in [*said[:15], *other, *said[15:]]:
        script.say(sentence)
    placed = right(search(script, flat(said)), flat(said), script)
    assert len(placed) > 0.95 * len(flat(said))


def test_text_that_nobody_says_is_left_out_and_what_follows_is_found() -> None:
    script, said = Script(), sentences(0, 50)
    for sentence in [*said[:15], *said[22:]]:
        script.say(sentence)
    found = search(script, flat(said))
    missing = set(flat(said[15:22]))
    assert len(right(found, flat(said), script)) > 0.95 * len(flat(said)) - len(missing)
    ghosts = [t for t, w in zip(flat(said), found.words, strict=True) if w is not None and t in missing]
    assert len(ghosts) <= 4


def test_another_recordings_text_is_given_up_early() -> None:
    script = Script()
    for sentence in sentences(0, 600):
        script.say(sentence)
    found = search(script, flat(sentences(5000, 600)))
    assert found.share == 0
    assert sum(seconds for _, seconds in script.pieces) < script.segments[-1][1] / 1.2


def test_no_speech_gives_no_words() -> None:
    script = Script()
    script.rest(20)
    found = search(script, ["hello"])
    assert found.words == [None] and not script.pieces


def test_an_aligner_that_refuses_everything_ends() -> None:
    script = Script()
    for sentence in sentences(0, 30):
        script.say(sentence)
    never = Aligner("never", None, lambda pieces: [NotAligned("no") for _ in pieces], lambda: None)
    found = place_long(script.read, SpeechTime(script.segments), ["a", "b"] * 50, never, "en")
    assert not any(found.words)


def test_phones_come_once_for_each_word_that_is_kept() -> None:
    script, said = Script(), sentences(0, 30)
    for sentence in said:
        script.say(sentence)
    found = search(script, flat(said))
    assert [phone.label for phone in found.phones] == [word.upper() for word in flat(said)]
