"""A bundle is loaded whole, unchanged and from where it was said to be, or not at all."""

import json
from pathlib import Path

import fsspec
import pytest
import torch

from ml.bundles import BundleCorrupt, BundleMeta, BundleMissing, load_bundle, read_meta, save_bundle

META = BundleMeta(
    name="small",
    kind="makiuchi-text",
    config={"head": {"classes": 7}},
    labels=("angry", "happy"),
    languages=("en",),
    licence="CC0-1.0",
    notice="for tests – only",
    training_data=("nothing",),
    metrics={"test": {"accuracy": 0.5}},
    temperature=1.5,
)
TENSORS = {"head.weight": torch.arange(6.0).reshape(2, 3), "encoder.bias": torch.ones(4).half()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "small", META, TENSORS)
    return tmp_path / "small"


def test_what_was_saved_is_what_is_loaded(folder: Path) -> None:
    bundle = load_bundle(str(folder))

    assert bundle.meta == read_meta(str(folder))
    assert bundle.meta.metrics == META.metrics
    assert bundle.tensors["encoder.bias"].dtype == torch.float16, "tensors keep their stored type"
    assert torch.equal(bundle.part("head")["weight"], TENSORS["head.weight"])


def test_equal_bundles_have_equal_bytes(folder: Path, tmp_path: Path) -> None:
    save_bundle(tmp_path / "again", META, dict(reversed(TENSORS.items())))

    for name in ("bundle.json", "weights.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_saving_over_a_bundle_replaces_it_and_leaves_nothing_beside_it(folder: Path) -> None:
    before = read_meta(str(folder)).sha256

    save_bundle(folder, META, {"head.weight": torch.zeros(2)})

    assert load_bundle(str(folder)).meta.sha256 != before
    assert {path.name for path in folder.iterdir()} == {"bundle.json", "weights.safetensors"}


def test_a_bundle_at_a_url_equals_the_one_in_a_folder(folder: Path) -> None:
    files = fsspec.filesystem("memory")
    for path in folder.iterdir():
        files.pipe(f"/models/copy/{path.name}", path.read_bytes())

    assert load_bundle("memory://models/copy/").meta == load_bundle(str(folder)).meta


@pytest.mark.parametrize("location", ["shipped:no-such", "shipped:../shipped", "shipped:", "/no/such/folder"])
def test_a_bundle_that_is_not_there_is_named(location: str) -> None:
    with pytest.raises(BundleMissing, match=r"shipped:|/no/such/folder") as caught:
        load_bundle(location)

    assert caught.value.hint


def test_an_unknown_shipped_bundle_lists_those_there_are() -> None:
    with pytest.raises(BundleMissing) as caught:
        read_meta("shipped:no-such")

    assert "mini-text" in caught.value.hint


def test_an_address_that_no_library_reads_is_a_missing_bundle() -> None:
    with pytest.raises(BundleMissing, match="cannot be opened"):
        read_meta("nonsense://bucket/model")


def test_a_changed_byte_in_the_weights_is_found(folder: Path) -> None:
    weights = bytearray((folder / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(weights)

    with pytest.raises(BundleCorrupt, match="weights"):
        load_bundle(str(folder))


def test_weights_other_than_the_pinned_ones_are_refused(folder: Path) -> None:
    pinned = read_meta(str(folder)).sha256
    assert load_bundle(str(folder), pinned).meta.sha256 == pinned

    save_bundle(folder, META, {"head.weight": torch.zeros(2)})

    with pytest.raises(BundleCorrupt, match="pinned") as caught:
        load_bundle(str(folder), pinned)
    assert "enqueue again" in caught.value.hint


def test_missing_weights_are_missing(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()

    with pytest.raises(BundleMissing, match=r"weights\.safetensors"):
        load_bundle(str(folder))


@pytest.mark.parametrize(
    "damage",
    [
        lambda fields: fields.pop("licence"),
        lambda fields: fields.update(labels="angry"),
        lambda fields: fields.update(temperature=0.0),
        lambda fields: fields.update(colour="red"),
        lambda fields: fields.update(config=[]),
    ],
)
def test_a_description_with_a_wrong_field_is_corrupt(folder: Path, damage: object) -> None:
    fields = json.loads((folder / "bundle.json").read_text())
    damage(fields)  # type: ignore[operator]
    (folder / "bundle.json").write_text(json.dumps(fields))

    with pytest.raises(BundleCorrupt, match=r"bundle\.json"):
        read_meta(str(folder))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'"text"'])
def test_a_description_that_is_no_description_is_corrupt(folder: Path, content: bytes) -> None:
    (folder / "bundle.json").write_bytes(content)

    with pytest.raises(BundleCorrupt):
        read_meta(str(folder))
