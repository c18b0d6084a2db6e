"""Words as a checkpoint's tokens: any case, any alphabet, numbers, stars for what it cannot write."""

import json
import unicodedata
from pathlib import Path

import pytest

from ml.alignment.ctc.spelling import STAR, Spelling, spell
from ml.alignment.ctc.vocabulary import Vocabulary, read_vocabulary
from ml.checkpoints.errors import CheckpointWithoutVocabulary
from tests.unit.ctc_models import save_vocabulary

LOWER = "abcdefghijklmnopqrstuvwxyz'"


def alphabet(letters: str | list[str], *, delimiter: bool = True) -> Vocabulary:
    return Vocabulary({letter: 5 + i for i, letter in enumerate(letters)}, 0, 4 if delimiter else None)


def written(spelling: Spelling, vocabulary: Vocabulary) -> str:
    names = {number: token for token, number in vocabulary.ids.items()} | {4: "|", STAR: "*"}
    return " ".join(names[token.id] for token in spelling.tokens)


def spelt(words: list[str], vocabulary: Vocabulary, language: str = "en") -> str:
    return written(spell(words, language, vocabulary), vocabulary).replace(" ", "")


@pytest.mark.parametrize(
    ("letters", "expected"), [(LOWER, "don't|stop"), (LOWER.upper(), "DON'T|STOP"), ("dontsp", "dont|stop")]
)
def test_words_take_the_case_and_signs_of_the_vocabulary(letters: str, expected: str) -> None:
    assert spelt(["Don’t", "STOP"], alphabet(letters)) == expected


def test_a_vocabulary_without_a_space_has_none_between_words() -> None:
    assert spelt(["no", "go"], alphabet(LOWER, delimiter=False)) == "nogo"


def test_accents_that_the_vocabulary_lacks_are_left_off() -> None:
    assert spelt(["Café", "żaba"], alphabet(LOWER)) == "cafe|zaba"
    assert spelt(["żaba"], alphabet(LOWER + "ż")) == "żaba"


def test_numbers_are_spoken_in_the_language_of_the_text() -> None:
    assert spelt(["42", "dogs"], alphabet(LOWER)) == "forty|two|dogs"
    assert spelt(["42"], alphabet(LOWER + "ąćęłńóśźż"), "pl") == "czterdzieści|dwa"
    assert spelt(["42"], alphabet("사십이"), "ko") == "사십이"
    assert spelt(["42"], alphabet(LOWER + "0123456789")) == "42"


def test_long_numbers_are_read_out_digit_by_digit() -> None:
    assert spelt(["55512"], alphabet(LOWER)) == "five|five|five|one|two"


def test_a_number_in_a_language_that_nobody_can_count_in_is_a_star() -> None:
    assert spelt(["a", "42", "b"], alphabet(LOWER), "xx") == "a*b"


def test_a_letter_of_another_script_is_a_star() -> None:
    assert spelt(["a中b"], alphabet(LOWER)) == "a*b"


def test_stars_of_neighbouring_words_are_one_and_swallow_the_space() -> None:
    spelling = spell(["ab", "中文", "字", "cd"], "en", alphabet(LOWER))
    assert written(spelling, alphabet(LOWER)) == "a b * c d"
    assert [spelling.units[first].label for first, _ in spelling.words] == ["a", "中", "字", "c"]
    assert spelling.letters == 4 and spelling.known == pytest.approx(4 / 7)


def test_every_word_has_a_place_even_one_that_cannot_be_written() -> None:
    spelling = spell(["'", "a"], "en", alphabet("a"))
    assert [last - first for first, last in spelling.words] == [1, 1]


def test_what_may_be_said_around_a_text_is_a_star_on_both_sides() -> None:
    vocabulary = alphabet(LOWER)
    assert written(spell(["ab"], "en", vocabulary).between_stars(), vocabulary) == "* a b *"
    assert written(spell(["中", "b"], "en", vocabulary).between_stars(), vocabulary) == "* b *"


def test_hangul_is_written_in_blocks_where_the_vocabulary_has_them() -> None:
    assert spelt(["한국", "말"], alphabet("한국말"), "ko") == "한국|말"


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        (unicodedata.normalize("NFD", "값했과"), unicodedata.normalize("NFD", "값과")),
        ("ㄱㅏㅄㅘ", "ㄱㅏㅄㄱㅘ"),
        ("ㄱㅏㅂㅅㅗ", "ㄱㅏㅂㅅㄱㅗㅏ"),
    ],
)
def test_hangul_is_written_in_jamo_of_any_kind(letters: str, expected: str) -> None:
    vocabulary = alphabet(list(dict.fromkeys(letters)))
    spelling = spell(["값과"], "ko", vocabulary)
    assert written(spelling, vocabulary).replace(" ", "") == expected
    assert [unit.label for unit in spelling.units] == ["값", "과"]


IPA = ["h", "ə", "l", "oʊ", "w", "ɜː", "d", "ʃ", "ɪ", "θ", "ŋ", "ɔ", "ɹ", "f", "t", "iː", "uː"]


def test_a_vocabulary_of_sounds_is_recognised_and_one_of_letters_is_not() -> None:
    assert alphabet(IPA).phonetic
    assert alphabet(["aa", "ae", "ah", "ao", "aw", "ay", "ch", "dh", "eh", "er", "hh", "ih"]).phonetic
    assert not alphabet(LOWER).phonetic
    # Ewe and Danish write with letters that look like phonetic signs.
    assert not alphabet("abdefghijklmnopstuvwxyzɖɛƒɣŋɔʋ").phonetic
    assert not alphabet("abcdefghijklmnopqrstuvwxyzæøå").phonetic


def test_english_words_become_the_sounds_of_a_phonetic_vocabulary() -> None:
    vocabulary = alphabet(IPA)
    spelling = spell(["Hello", "world"], "en", vocabulary)
    assert [unit.label for unit in spelling.units] == ["HH", "AH", "L", "OW", "W", "ER", "L", "D"]
    assert written(spelling, vocabulary) == "h ə l oʊ | w ɜː l d"


def test_arpabet_needs_no_table() -> None:
    assert spelt(["cat"], alphabet(["k", "ae", "t", "aa", "ah", "ao", "aw", "ay", "ch", "dh", "eh", "er"])) == "kaet"


def test_sounds_of_other_languages_and_unknown_words_are_stars() -> None:
    assert spelt(["hello", "zzyxq"], alphabet(IPA)) == "həloʊ*"
    assert spell(["dzień", "dobry"], "pl", alphabet(IPA)).known == 0


def test_the_vocabulary_of_a_saved_processor_is_its_letters(tmp_path: Path) -> None:
    size = save_vocabulary(tmp_path, "ab가")
    vocabulary = read_vocabulary(tmp_path, {"vocab_size": size})
    assert vocabulary == Vocabulary({"a": 5, "b": 6, "가": 7}, 0, 4)


def test_older_layouts_with_other_names_of_the_blank_are_read(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, " ": 1, "[UNK]": 2, "[PAD]": 3}))
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"pad_token": {"content": "[PAD]"}}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"word_delimiter_token": " "}))
    assert read_vocabulary(tmp_path, {"vocab_size": 4, "pad_token_id": 0}) == Vocabulary({"a": 0}, 3, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no vocab.json"),
        ({"eng": {"a": 1}}, "several languages"),
        ({"<pad>": 0, "|": 1}, "nothing that can be spoken"),
        ({"a": 0, "b": 1}, "padding token"),
    ],
)
def test_a_vocabulary_that_says_too_little_is_a_named_error(tmp_path: Path, content: object, reason: str) -> None:
    if content is not None:
        (tmp_path / "vocab.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointWithoutVocabulary, match=reason):
        read_vocabulary(tmp_path, {"vocab_size": 2, "pad_token_id": 0 if reason.startswith("nothing") else None})
