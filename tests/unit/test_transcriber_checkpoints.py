"""A recognition checkpoint is found, told apart, pinned, or refused with a sentence; and a profile may name one."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from ml.checkpoints.errors import (
    CheckpointChanged,
    CheckpointMissing,
    CheckpointPickled,
    CheckpointUnreadable,
    CheckpointUnsupported,
)
from ml.errors import ModelError
from ml.profiles import ProfileInvalid, load_profile
from ml.transcription.checkpoint import kind_of, pin
from ml.transcription.transcriber import load
from tests.unit import ctc_models, tiny_models
from tests.unit.whisper_models import whisper_checkpoint
from workers.jobs.enqueue import JobOptions


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint of each kind."""
    folder = tmp_path_factory.mktemp("made")
    whisper_checkpoint(folder / "whisper")
    ctc_models.random_checkpoint(folder / "ctc")
    return folder


@pytest.fixture
def whisper(made: Path, tmp_path: Path) -> Path:
    """A Whisper checkpoint to break."""
    return Path(shutil.copytree(made / "whisper", tmp_path / "whisper"))


def change(folder: Path, file: str, **values: object) -> None:
    """Set entries of a JSON file; None removes one."""
    content = json.loads((folder / file).read_text()) | values
    (folder / file).write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_whisper_and_ctc_are_told_apart_by_their_configuration(made: Path) -> None:
    assert (kind_of(made / "whisper"), kind_of(made / "ctc")) == ("whisper", "ctc")
    assert type(load(str(made / "whisper"))) is not type(load(str(made / "ctc")))


def test_a_checkpoint_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none"), "", "no such folder", str(tmp_path)):
        with pytest.raises(CheckpointMissing) as caught:
            pin(name)
        assert "Hub id" in caught.value.hint


def test_a_hub_id_without_a_network_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    assert pin("openai/whisper-none") == "openai/whisper-none", "it is looked for only when it is needed"
    with pytest.raises(CheckpointMissing, match="openai/whisper-none"):
        load("openai/whisper-none")


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": "bert", "architectures": ["BertModel"]},
        {"architectures": ["WhisperForAudioClassification"]},
        {"auto_map": {"AutoModel": "evil.Model"}},
    ],
)
def test_what_recognises_no_speech_or_brings_its_own_code_is_refused(whisper: Path, values: dict[str, object]) -> None:
    change(whisper, "config.json", **values)
    with pytest.raises(CheckpointUnsupported):
        pin(str(whisper))


def test_pickled_weights_are_refused_and_never_opened(whisper: Path) -> None:
    (whisper / "model.safetensors").unlink()
    (whisper / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")

    for attempt in (pin, load):
        with pytest.raises(CheckpointPickled):
            attempt(str(whisper))
    assert not Path("opened").exists()


def test_a_ctc_checkpoint_of_phones_writes_no_words(tmp_path: Path) -> None:
    ctc_models.random_checkpoint(tmp_path, ["ə", "ɪ", "ʃ", "ŋ", "ɛ", "ʊ", "θ", "t", "k"])
    with pytest.raises(CheckpointUnsupported, match="phones"):
        pin(str(tmp_path))


def test_missing_tensors_are_not_filled_with_noise(whisper: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors: dict[str, torch.Tensor] = load_file(whisper / "model.safetensors")
    tensors.pop("model.decoder.layers.1.fc1.weight")
    save_file(tensors, whisper / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(CheckpointUnreadable, match="1 tensors"):
        load(str(whisper))


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"])
def test_a_damaged_file_is_a_named_error(whisper: Path, file: str) -> None:
    (whisper / file).write_bytes(b"{damaged")
    with pytest.raises(ModelError) as caught:
        load(str(whisper))
    assert caught.value.code.startswith("checkpoint_") and caught.value.hint


def test_an_old_generation_config_says_what_it_lacks(whisper: Path) -> None:
    change(whisper, "generation_config.json", lang_to_id=None)
    with pytest.raises(CheckpointUnsupported, match="languages") as caught:
        load(str(whisper))
    assert "lang_to_id" in caught.value.hint


@pytest.mark.parametrize("file", ["model.safetensors", "generation_config.json", "tokenizer.json"])
def test_a_pin_holds_what_decides_the_text(whisper: Path, file: str) -> None:
    before = pin(str(whisper))
    assert pin(str(whisper)) == before == pin(before)

    (whisper / file).write_bytes((whisper / file).read_bytes() + b" ")

    assert pin(str(whisper)) != before
    with pytest.raises(CheckpointChanged):
        load(before)


def test_a_pinned_checkpoint_loads_as_long_as_it_is_the_same(made: Path) -> None:
    assert load(pin(str(made / "ctc"))).transcribe([], None) == []


# In a profile


@pytest.fixture
def profile(tmp_path: Path, whisper: Path) -> Path:
    """A profile whose transcriber lies beside it."""
    path = tiny_models.profile(tmp_path)
    path.write_text(path.read_text() + '[transcription]\ncheckpoint = "whisper"\nlanguage = "ko"\n')
    return path


def test_a_profiles_transcriber_is_part_of_its_version(profile: Path, whisper: Path) -> None:
    spec, before = load_profile(str(profile)).resolve(), load_profile(str(profile)).fingerprint()

    assert spec["transcription"] == {"checkpoint": pin(str(whisper)), "language": "ko"}
    change(whisper, "generation_config.json", max_length=30)
    other_weights = load_profile(str(profile)).fingerprint()
    profile.write_text(profile.read_text().replace('"ko"', '"en"'))
    other_language = load_profile(str(profile)).fingerprint()
    profile.write_text(profile.read_text().partition("[transcription]")[0])
    without = load_profile(str(profile))

    assert len({before, other_weights, other_language, without.fingerprint()}) == 4
    assert "transcription" not in without.resolve()


def test_a_job_aligns_with_its_profiles_transcriber_as_it_is_now(profile: Path, whisper: Path) -> None:
    chosen = JobOptions(speakers=2).with_transcriber(load_profile(str(profile))).alignment()

    assert chosen["transcriber"] == pin(str(whisper))
    assert (chosen["transcriber_language"], chosen["speakers"], chosen["language"]) == ("ko", 2, "auto")
    assert JobOptions().with_transcriber(load_profile("mini")).alignment()["transcriber"] is None


def test_a_hub_id_in_a_profile_stays_a_hub_id(profile: Path) -> None:
    profile.write_text(profile.read_text().replace('"whisper"', '"openai/whisper-small"'))
    assert load_profile(str(profile)).resolve()["transcription"]["checkpoint"] == "openai/whisper-small"


@pytest.mark.parametrize(
    "table",
    [
        'transcription = "openai/whisper-small"',
        "[transcription]",
        "[transcription]\ncheckpoint = 7",
        '[transcription]\ncheckpoint = "a/b"\nlanguage = 1',
        '[transcription]\ncheckpoint = "a/b"\nlanguage = "English"',
        '[transcription]\ncheckpoint = "a/b"\nsize = "small"',
    ],
)
def test_a_transcription_that_cannot_be_meant_is_refused(tmp_path: Path, table: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{"" if table[0] == "[" else table}\nspeech.bundle = "shipped:mini-speech"\n')
    path.write_text(path.read_text() + (table if table[0] == "[" else ""))
    with pytest.raises(ProfileInvalid, match="transcription"):
        load_profile(str(path))


def test_a_transcriber_that_is_missing_is_said_when_the_job_is_made(profile: Path, whisper: Path) -> None:
    (whisper / "config.json").unlink()
    with pytest.raises(CheckpointMissing):
        load_profile(str(profile)).resolve()
