"""`ctc:CHECKPOINT`: what a name may be, what a folder must hold, and that a changed folder is another aligner."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ml.alignment.ctc import named
from ml.alignment.ctc.checkpoint import check
from ml.alignment.ctc.emissions import CtcEncoder
from ml.alignment.registry import AlignerUnknown, find_aligner, pin_aligner
from ml.checkpoints import Checkpoint
from ml.checkpoints.errors import (
    CheckpointChanged,
    CheckpointMissing,
    CheckpointPickled,
    CheckpointUnreadable,
    CheckpointUnsupported,
    CheckpointWithoutVocabulary,
)
from ml.device import DeviceMissing, torch_device
from ml.errors import ModelError
from ml.transcription import transcriber as transcribers
from tests.unit.ctc_models import random_checkpoint, random_model, save_vocabulary
from workers import context
from workers.jobs.enqueue import JobOptions
from workers.settings import Settings
from workers.stages import align as stage
from workers.stages.align import Member


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return random_checkpoint(tmp_path / "checkpoint")


def change_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_folder_with_a_checkpoint_is_an_aligner_of_any_language(folder: Path) -> None:
    aligner = find_aligner(f"ctc:{folder}")
    assert aligner.name == f"ctc:{folder}"
    assert aligner.can("en") and aligner.can("ko") and aligner.can("sw")


def test_a_phonetic_checkpoint_aligns_english_only(tmp_path: Path) -> None:
    sounds = ["h", "ə", "l", "oʊ", "ʃ", "ɪ", "θ", "ŋ", "ɔ", "ɹ"]
    aligner = find_aligner(f"ctc:{random_checkpoint(tmp_path / 'phones', sounds)}")
    assert aligner.can("en") and not aligner.can("ko")


def test_finding_one_imports_no_torch(folder: Path) -> None:
    code = f"""
import sys
from ml.alignment.registry import find_aligner, pin_aligner
find_aligner({f"ctc:{folder}"!r}); pin_aligner({f"ctc:{folder}"!r}); find_aligner("ctc:owner/name")
assert not {{"torch", "transformers", "huggingface_hub"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_hub_id_is_taken_at_its_word_until_it_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    aligner = find_aligner("ctc:nobody/nothing@v1.0")
    with pytest.raises(CheckpointMissing, match="nobody/nothing"):
        aligner.preload()


def test_a_hub_checkpoint_is_fetched_without_pickle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def fetch(hub_id: str, **options: object) -> str:
        asked.update(options, hub_id=hub_id)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetch)
    assert Checkpoint.parse("owner/name@abc").folder() == folder
    assert asked["hub_id"] == "owner/name" and asked["revision"] == "abc"
    # The last are SentencePiece's, which is no pickle.
    assert asked["allow_patterns"] == ["*.json", "*.txt", "model*.safetensors", "*.model"]


def test_a_revision_may_be_that_of_a_conversion_that_nobody_has_merged() -> None:
    assert Checkpoint.parse("owner/name@refs/pr/1").revision == "refs/pr/1"


@pytest.mark.parametrize("name", ["ctc:", "ctc:/no/such/folder", "ctc:./nowhere", "ctc:a/b/c", "ctc:one"])
def test_a_name_that_points_nowhere_is_a_named_error_at_once(name: str) -> None:
    with pytest.raises(CheckpointMissing) as caught:
        find_aligner(name)
    assert isinstance(caught.value, ModelError) and "ctc:" in caught.value.hint


def test_the_list_of_aligners_names_this_kind() -> None:
    with pytest.raises(AlignerUnknown, match="ctc:CHECKPOINT, none, pocketsphinx"):
        find_aligner("gentle")


def test_a_folder_without_configuration_or_weights_is_missing(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointMissing, match=r"model\.safetensors"):
        find_aligner(f"ctc:{folder}")
    with pytest.raises(CheckpointMissing, match=r"config\.json"):
        find_aligner(f"ctc:{tmp_path}")


def test_pickled_weights_are_never_read(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointPickled) as caught:
        find_aligner(f"ctc:{folder}")
    assert "save_pretrained" in caught.value.hint


def test_a_checkpoint_without_a_head_is_not_ctc(folder: Path) -> None:
    random_model(10).wav2vec2.save_pretrained(folder)
    with pytest.raises(CheckpointUnsupported, match="lm_head"):
        find_aligner(f"ctc:{folder}")


@pytest.mark.parametrize("change", [{"model_type": "bert"}, {"auto_map": {"AutoModel": "evil.Model"}}])
def test_other_models_and_code_from_elsewhere_are_refused(folder: Path, change: dict[str, object]) -> None:
    change_json(folder / "config.json", **change)
    with pytest.raises(CheckpointUnsupported):
        find_aligner(f"ctc:{folder}")


def test_another_sampling_rate_is_refused(folder: Path) -> None:
    (folder / "preprocessor_config.json").write_text(json.dumps({"sampling_rate": 8000}))
    with pytest.raises(CheckpointUnsupported, match="8000"):
        find_aligner(f"ctc:{folder}")


def test_a_checkpoint_without_a_vocabulary_is_a_named_error(folder: Path) -> None:
    (folder / "vocab.json").unlink()
    with pytest.raises(CheckpointWithoutVocabulary, match=r"vocab\.json"):
        find_aligner(f"ctc:{folder}")


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "model.safetensors"])
def test_a_broken_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"[1, 2")
    with pytest.raises(CheckpointUnreadable, match=name):
        find_aligner(f"ctc:{folder}")


def test_weights_that_do_not_fit_the_configuration_are_unreadable(folder: Path) -> None:
    change_json(folder / "config.json", num_hidden_layers=3)
    with pytest.raises(CheckpointUnreadable, match="lacks"):
        CtcEncoder.load(folder)
    change_json(folder / "config.json", num_hidden_layers=2, hidden_size=64)
    with pytest.raises(CheckpointUnreadable):
        CtcEncoder.load(folder)


def test_weights_in_several_files_are_read(tmp_path: Path) -> None:
    size = save_vocabulary(tmp_path, "abc")
    random_model(size).save_pretrained(tmp_path, max_shard_size="50KB")
    assert not (tmp_path / "model.safetensors").exists()
    assert check(tmp_path)["vocab_size"] == size
    CtcEncoder.load(tmp_path)


def test_a_changed_folder_is_another_aligner(folder: Path) -> None:
    before = pin_aligner(f"ctc:{folder}")
    assert before == pin_aligner(before) and find_aligner(before).name == before
    random_model(32, seed=2).save_pretrained(folder)
    after = pin_aligner(f"ctc:{folder}")
    assert after != before and after.split("#")[0] == before.split("#")[0]
    (folder / "README.md").write_text("Nothing that counts.")
    assert pin_aligner(f"ctc:{folder}") == after


def test_a_folder_that_changed_after_the_job_was_made_is_not_used(folder: Path) -> None:
    pinned = pin_aligner(f"ctc:{folder}")
    random_model(32, seed=2).save_pretrained(folder)
    with pytest.raises(CheckpointChanged):
        find_aligner(pinned).preload()


def test_a_job_knows_its_checkpoint_by_content_and_full_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    identity = JobOptions(aligner="ctc:./checkpoint").alignment()
    assert identity["aligner"] == pin_aligner(f"ctc:{folder}")
    assert JobOptions().alignment()["aligner"] == "pocketsphinx"


def test_only_a_few_checkpoints_stay_loaded(tmp_path: Path) -> None:
    named._loaded.cache_clear()
    folders = [random_checkpoint(tmp_path / str(number), "ab") for number in range(named.LOADED + 1)]
    for folder in folders:
        find_aligner(f"ctc:{folder}").preload()
    find_aligner(f"ctc:{folders[-1]}").preload()
    held = named._loaded.cache_info()
    assert (held.currsize, held.misses, held.hits) == (named.LOADED, named.LOADED + 1, 1)


def test_on_the_cpu_weights_stay_in_full_precision_unless_told(folder: Path) -> None:
    assert CtcEncoder.load(folder, device="cpu").model.dtype == torch.float32
    assert CtcEncoder.load(folder, device="cpu", dtype=torch.bfloat16).model.dtype == torch.bfloat16


def test_a_worker_runs_checkpoints_on_the_device_of_its_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The GPU of this machine is one that does not work.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(context, "settings", lambda: Settings(device="cpu"))
    named._loaded.cache_clear()
    transcribers.load.cache_clear()
    wanted = {"aligner": f"ctc:{folder}", "transcriber": str(folder)}
    member = Member(1, 1, "", 1.0, wanted, folder, None, 0, 0)
    stage._load_models([member])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(context, "settings", lambda: Settings(device="cuda"))
    for name in wanted:
        with pytest.raises(DeviceMissing, match="cuda") as caught:
            stage._load_models([replace(member, options={"aligner": "none", name: wanted[name]})])
        assert "TENOR_DEVICE" in caught.value.hint


def test_a_gpu_is_taken_where_there_is_one_unless_the_cpu_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [torch_device(wanted) for wanted in ("auto", "cpu", "cuda")] == ["cuda", "cpu", "cuda"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [torch_device(wanted) for wanted in ("auto", "cpu")] == ["cpu", "cpu"]
