"""A profile becomes one immutable specification, or one sentence about what is wrong with it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ml.bundles import BundleMissing
from ml.emotions import EMOTIONS
from ml.errors import ModelError
from ml.models.hub.labels import LabelMap
from ml.profiles import NotTrained, ProfileInvalid, conditional_profiles, load_profile, shipped_profiles
from ml.profiles.sides import HubSide
from tests.unit import tiny_models


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_models.profile(tmp_path)


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_shipped_profile_is_valid_on_every_machine(name: str) -> None:
    spec = load_profile(name).resolve()

    assert json.loads(json.dumps(spec)) == spec
    assert spec["labels"] == list(EMOTIONS)
    for side in ("speech", "text"):
        if side in spec:
            assert spec[side]["location"].startswith("shipped:")
            assert len(spec[side]["sha256"]) == 64
    if "text" in spec:
        assert len(spec["text"]["config"]["encoder"]["sha256"]) == 64, "the encoder package is pinned too"


def test_mini_uses_voice_and_words_and_its_sibling_voice_alone() -> None:
    assert {"speech", "text"} <= load_profile("mini").resolve().keys()
    assert "text" not in load_profile("mini-speech-only").resolve()
    assert load_profile("mini").fingerprint() != load_profile("mini-speech-only").fingerprint()


def test_profiles_that_need_something_first_are_apart_and_say_what() -> None:
    conditional = conditional_profiles()

    assert conditional.keys() == {"hub", "makiuchi2021"}
    assert not conditional.keys() & set(shipped_profiles())
    with pytest.raises(ProfileInvalid, match=r"hub \(A network on first use.*makiuchi2021 \(Train it with IEMOCAP"):
        load_profile("no-such")


def test_source_a_as_published_says_how_to_train_it(tmp_path: Path) -> None:
    profile = load_profile("makiuchi2021", trained=tmp_path)

    assert (profile.w_speech, profile.w_text, profile.labels) == (0.6, 1.0, ("angry", "happy", "neutral", "sad"))
    for use in (profile.resolve, profile.licences):
        with pytest.raises(NotTrained, match="makiuchi2021/bundles/speech") as caught:
            use()
        assert f"tenor train makiuchi2021 --faithful --corpus iemocap=FOLDER --out {tmp_path}/" in caught.value.hint


def test_once_trained_it_names_its_models(tmp_path: Path) -> None:
    tiny_models.faithful_bundles(tmp_path / "makiuchi2021" / "bundles")

    spec = load_profile("makiuchi2021", trained=tmp_path).resolve()

    assert spec["speech"]["location"] == str(tmp_path / "makiuchi2021" / "bundles" / "speech")
    assert spec["speech"]["config"]["head"]["segment_weight"] == "equal"
    assert spec["text"]["config"]["head"]["variant"] == "faithful"


@pytest.mark.parametrize("location", ["trained:", "trained:/etc/model", "trained:../elsewhere"])
def test_trained_models_lie_below_their_folder(location: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f'speech.bundle = "{location}"')

    with pytest.raises(ProfileInvalid, match="below the trained models"):
        load_profile(str(tmp_path / "mine.toml"), trained=tmp_path)


def test_the_example_of_published_models_pins_both_by_commit() -> None:
    profile = load_profile("hub")

    for side in (profile.speech, profile.text):
        assert isinstance(side, HubSide)
        assert re.fullmatch(r"[\w-]+/[\w.-]+@[0-9a-f]{40}", side.checkpoint)
        assert LabelMap(tuple(side.labels), side.labels).labels
    assert [entry.licence for entry in profile.licences()][1] == "not stated on its card"


def test_licences_name_every_bundle() -> None:
    licences = load_profile("mini").licences()

    assert [entry.bundle for entry in licences] == ["mini-speech", "mini-text"]
    assert all(entry.licence and entry.notice for entry in licences)


def test_reading_a_profile_loads_no_torch() -> None:
    program = (
        "import sys; from ml.profiles import load_profile; p = load_profile('mini'); p.fingerprint(); p.licences();"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_bundles_are_found_relative_to_the_profile(tiny: Path) -> None:
    spec = load_profile(str(tiny)).resolve()

    assert spec["speech"]["location"] == str(tiny.parent / "speech")
    assert spec["fusion"] == {"kind": "score", "w_speech": 0.6, "w_text": 0.4}


def test_the_same_profile_is_the_same_version_and_any_change_another(tiny: Path) -> None:
    before = load_profile(str(tiny)).fingerprint()
    assert load_profile(str(tiny)).fingerprint() == before

    tiny.write_text(tiny.read_text().replace("0.4", "0.5"))
    reweighted = load_profile(str(tiny)).fingerprint()
    description = tiny.parent / "text" / "bundle.json"
    description.write_text(description.read_text().replace('"temperature": 0.5', '"temperature": 0.75'))
    recalibrated = load_profile(str(tiny)).fingerprint()

    assert len({before, reweighted, recalibrated}) == 3


def test_the_order_of_labels_does_not_matter(tiny: Path) -> None:
    versions = set()
    for labels in ('["sad", "angry", "happy"]', '["angry", "happy", "sad"]'):
        (tiny.parent / "some.toml").write_text(f"labels = {labels}\n{tiny.read_text()}")
        versions.add(load_profile(str(tiny.parent / "some.toml")).fingerprint())

    assert len(versions) == 1


@pytest.mark.parametrize("name", ["no-such", "../profiles/mini", "", "folder/none.toml"])
def test_an_unknown_profile_lists_those_there_are(name: str) -> None:
    with pytest.raises(ProfileInvalid, match=", ".join(shipped_profiles())):
        load_profile(name)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("speech = [", "TOML"),
        ("", "speech bundle"),
        ('speech = "mini"', "speech"),
        ("speech.bundle = 7", "speech"),
        ('labels = ["joy"]\nspeech.bundle = "shipped:mini-speech"', "labels"),
        ('labels = []\nspeech.bundle = "shipped:mini-speech"', "labels"),
        ('speech.bundle = "shipped:mini-speech"\nfusion.w_text = "much"', "w_text"),
        ('speech.bundle = "shipped:mini-speech"\nfusion.w_text = -1', "w_text"),
        ('speech.bundle = "shipped:mini-speech"\nfusion.w_text = nan', "w_text"),
        ('speech.bundle = "shipped:mini-speech"\n[fusion]\nw_speech = 0\nw_text = 0', "weight 0"),
        ('speech.bundle = "shipped:mini-speech"\nspeach = 1', "speach"),
    ],
)
def test_an_unusable_profile_says_what_is_wrong(tmp_path: Path, content: str, names: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)

    with pytest.raises(ProfileInvalid, match=names) as caught:
        load_profile(str(path))

    assert "mine.toml" in str(caught.value)


def test_a_profile_whose_bundle_is_missing_says_where_it_looked(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('speech.bundle = "not-here"')

    with pytest.raises(BundleMissing, match="not-here"):
        load_profile(str(path)).resolve()


def test_a_text_model_does_not_pass_for_a_speech_model(tiny: Path) -> None:
    tiny.write_text('speech.bundle = "text"')

    with pytest.raises(ProfileInvalid, match="makiuchi-text"):
        load_profile(str(tiny)).resolve()


def test_a_label_that_no_model_knows_is_refused(tmp_path: Path) -> None:
    tiny_models.speech_bundle(tmp_path / "speech", labels=("angry", "happy"))
    (tmp_path / "mine.toml").write_text('labels = ["angry", "fear"]\nspeech.bundle = "speech"')

    with pytest.raises(ModelError, match="fear"):
        load_profile(str(tmp_path / "mine.toml")).resolve()
