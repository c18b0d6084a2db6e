"""How the small speech model is made: what it hears without labels, what is usual for a voice, and runs that resume."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from ml.bundles import load_bundle
from ml.emotions import EMOTIONS
from ml.encoders.speech import SpeechEncoder, normalise
from ml.experiments.speech_floor import floor_of
from ml.features.speaker import STATISTICS, USUAL, usual
from ml.features.tracks import F0, TRACKS, VOICED, VOICING, frame_count, tracks
from ml.features.voice import F0_STATISTICS, compact, statistics, wave_statistics
from ml.inference.makiuchi import MakiuchiSpeech
from ml.models.voice import VoiceEmotionConfig, VoiceEmotionModel
from ml.training.checkpoint import CheckpointUnreadable
from ml.training.front_end import FrameBank, Standard, convolve_frames, train_front_end
from ml.training.speech_loop import Plan, SpeechLoop
from ml.training.speech_model import TrackModel, compact_readout
from ml.training.speech_report import across_folds, speaker_folds
from ml.training.train_speech import REPORT, main
from ml.training.voice_bank import VoiceBank
from ml.training.voice_fit import KNOWN, FitPlan, Members, fit, judged, sampling_odds

RATE = 16_000


def voice(hertz: NDArray[np.float64] | float, seconds: float, *, seed: int = 0) -> NDArray[np.float32]:
    """A buzz [n] of eight harmonics and a little noise; `hertz` may glide from sample to sample."""
    count = int(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, count)) / RATE
    buzz = sum(np.sin(n * phase) / n for n in range(1, 9))
    return normalise((buzz + 0.02 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32))


def measured(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    found = wave_statistics(wave)
    assert found is not None
    return found


@pytest.mark.parametrize("hertz", [80, 120, 210, 330, 480])
def test_pitch_is_found_within_two_percent(hertz: float) -> None:
    found = tracks(voice(hertz, 0.5))[3:-3]

    np.testing.assert_allclose(150 * 2 ** found[:, F0], hertz, rtol=0.02)
    assert (found[:, VOICING] > VOICED).all()


def test_noise_and_silence_have_no_voice() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    noise[RATE // 2 :] = 0

    assert (tracks(normalise(noise))[:, VOICING] < VOICED).all()


def test_a_rising_voice_and_a_falling_one_differ_in_slope_and_in_their_halves() -> None:
    glide = np.linspace(150, 220, RATE)

    rising, falling = (measured(voice(way, 1.0)) for way in (glide, glide[::-1]))

    assert len(rising) == STATISTICS
    assert rising[165] > 0.3 > -0.3 > falling[165]  # octaves per second
    assert rising[168] > 0 > falling[168]


def test_a_change_of_pitch_moves_the_statistics_that_are_said_to_move() -> None:
    low, high = (measured(voice(hertz, 1.0)) for hertz in (150, 180))

    np.testing.assert_allclose((high - low)[list(F0_STATISTICS)], np.log2(180 / 150), atol=0.01)


def test_neither_level_nor_silence_at_the_ends_changes_how_an_utterance_sounds() -> None:
    wave = voice(np.linspace(150, 220, RATE), 1.0)
    quiet = np.pad(0.01 * wave, 9600) + 1e-5 * np.random.default_rng(1).standard_normal(RATE + 19_200)

    plain, padded = measured(wave), measured(quiet.astype(np.float32))

    assert np.abs(plain - padded)[list(F0_STATISTICS)].max() < 0.02
    assert abs(plain[182] - padded[182]) < 0.3, "the length is that of the speech"


@pytest.mark.parametrize("wave", [np.zeros(0), np.ones(399), np.zeros(RATE)])
def test_what_cannot_be_heard_has_no_statistics(wave: NDArray[np.float64]) -> None:
    assert wave_statistics(wave.astype(np.float32)) is None


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_a_few_frames_have_finite_statistics(frames: int) -> None:
    assert bool(statistics(torch.randn(frames, 23)).isfinite().all())


def test_the_more_is_heard_of_a_voice_the_more_is_known() -> None:
    one = np.ones(STATISTICS, dtype=np.float32)

    assert not usual([]).any() and not usual([None]).any()
    assert usual([one])[0] == pytest.approx(0.2)
    many = usual([one, None] * 96)
    np.testing.assert_allclose(many, np.full(USUAL, 0.96), atol=1e-6)


def test_frames_alone_and_the_convolutions_over_a_waveform_give_the_same() -> None:
    torch.manual_seed(0)
    model, wave = TrackModel().encoder.eval(), voice(140, 0.31)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 400)[::320]

    with torch.inference_mode():
        whole = model.feature_extractor(torch.from_numpy(wave)[None])[0].T
        alone = convolve_frames(model, torch.from_numpy(frames.copy()))

    assert len(whole) == frame_count(len(wave)) == SpeechEncoder(model).frames(len(wave))
    torch.testing.assert_close(whole, alone, rtol=1e-4, atol=1e-5)


def small_bank(count: int = 16) -> FrameBank:
    rng = np.random.default_rng(0)
    waves = [voice(np.geomspace(*rng.uniform(130, 300, 2), RATE), 1.0, seed=n) for n in range(count)]
    return FrameBank([(w * 8000).astype(np.int16) for w in waves], [tracks(w).astype(np.float16) for w in waves])


def test_convolutions_learn_pitch_and_spectrum_of_a_voice_they_did_not_hear() -> None:
    torch.manual_seed(0)
    model, bank = TrackModel().encoder, small_bank()

    readout = train_front_end(model, bank, steps=200, batch=192, report=lambda _: None)

    unheard = voice(np.geomspace(150, 280, RATE), 1.0, seed=99)
    with torch.inference_mode():
        heard = readout(model.feature_extractor(torch.from_numpy(unheard)[None])[0].T).numpy()
    error = np.square(heard - bank.standard.apply(tracks(unheard)))[2:-2].mean(axis=0)
    # 1 is what the mean of each track would give.
    assert error[F0] < 0.5
    assert error[:7].mean() < 0.6, "the bands that resolve harmonics"


def test_a_crop_is_a_stretch_of_one_waveform_with_its_own_tracks() -> None:
    bank = small_bank(2)

    waves, found = bank.crops(8, 40, np.random.default_rng(0))

    assert waves.shape == (8, 39 * 320 + 400) and found.shape == (8, 40, TRACKS)
    again = tracks(waves[0])
    np.testing.assert_allclose(again[3:-3, F0], found[0, 3:-3, F0], atol=0.05)


def test_compact_tracks_are_read_out_of_frames_in_one_product() -> None:
    torch.manual_seed(0)
    model, frames = TrackModel(), torch.randn(5, 128)
    standard = Standard(torch.randn(TRACKS).numpy(), torch.rand(TRACKS).numpy())

    with torch.inference_mode():
        full = model.readout(frames) * torch.from_numpy(standard.deviation) + torch.from_numpy(standard.mean)
        torch.testing.assert_close(compact_readout(model, standard)(frames), compact(full), rtol=1e-4, atol=1e-4)


def trained(folder: Path, *, stop_at: int | None = None, seed: int = 1) -> dict[str, torch.Tensor]:
    """Run a plan of six steps, as another process would; `stop_at` kills it when so many are reported."""
    torch.manual_seed(0)
    plan = Plan(steps=6, batch=2, frames=20, save_every=2)
    loop = SpeechLoop(TrackModel(), plan, seed=seed, device="cpu", checkpoint=folder / "model.safetensors")

    def report(_: str) -> None:
        if loop.done == stop_at:
            raise KeyboardInterrupt

    return {name: t.clone() for name, t in loop.run(small_bank(2), report).state_dict().items()}


def test_a_run_that_was_killed_goes_on_to_the_same_weights_from_a_small_checkpoint(tmp_path: Path) -> None:
    at_once = trained(tmp_path / "at-once")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", stop_at=4)
    assert (tmp_path / "killed" / "model.safetensors").stat().st_size < 16e6

    resumed = trained(tmp_path / "killed")

    for name, tensor in at_once.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=0)


def test_another_runs_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(tmp_path)

    with pytest.raises(CheckpointUnreadable, match="other settings"):
        trained(tmp_path, seed=2)


def people(speakers: int, *, spread: float = 3.0) -> VoiceBank:
    """Clips of people whose voices differ more than the emotions: what is angry of one is neutral of another."""
    rng = np.random.default_rng(0)
    per = 24
    names = np.repeat([f"speaker-{n}" for n in range(speakers)], per)
    labels = np.tile(np.arange(per) % len(EMOTIONS), speakers)
    traits = np.repeat(spread * rng.standard_normal((speakers, 1)), per, axis=0)
    ways = rng.standard_normal((len(EMOTIONS), STATISTICS))
    values = traits + ways[labels] + 0.3 * rng.standard_normal((len(labels), STATISTICS))
    rows = values.astype(np.float32)
    corpora = np.array(["a" if int(n.split("-")[1]) % 2 else "b" for n in names])
    none = np.zeros(len(rows), dtype=np.float32)
    # Signal processing measures the same on another scale.
    return VoiceBank(corpora, names, labels, rows, (2 * rows + 1), rows, np.arange(len(rows)), none)


PLAN = FitPlan(members=2, hidden=32, steps=60, batch=32)
READOUT = torch.nn.Linear(128, 23)


def test_emotion_is_heard_against_what_is_usual_for_people_it_was_not_trained_on() -> None:
    bank = people(10)
    test = np.flatnonzero(np.isin(bank.speakers, ["speaker-0", "speaker-1"]))

    model = fit(bank, np.setdiff1d(np.arange(len(bank.labels)), test), READOUT, PLAN, seed=0)

    right = [(judged(model, bank, test, known).argmax(axis=1) == bank.labels[test]).mean() for known in KNOWN]
    assert right[0] > 0.9
    assert right[0] >= max(right[1:])


def test_the_same_seed_gives_the_same_classifier() -> None:
    bank, rows = people(4), np.arange(96)

    first, second = (fit(bank, rows, torch.nn.Linear(4, 23), PLAN, seed=3).state_dict() for _ in range(2))

    for name in ("classifier.0.weight", "usual_map", "spread"):
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)


def test_several_networks_ship_as_one_that_says_their_mean() -> None:
    torch.manual_seed(0)
    members = Members(FitPlan(members=3, hidden=5), 7).eval()
    model = VoiceEmotionModel(VoiceEmotionConfig(hidden=15)).eval()
    inputs = torch.randn(4, 2 * STATISTICS)

    members.write_to(model.classifier)

    with torch.inference_mode():
        torch.testing.assert_close(model.classifier(inputs), members(inputs.expand(3, -1, -1)).mean(dim=0))


def test_corpora_are_drawn_evenly_and_so_are_their_classes() -> None:
    corpora, labels = np.array(["large"] * 40 + ["small"] * 7), np.array([0] * 30 + [1] * 10 + [0] * 2 + [1] + [2] * 4)
    nothing = np.zeros((47, STATISTICS), dtype=np.float32)
    owners = np.concatenate([np.arange(47), [0, 0]])
    bank = VoiceBank(corpora, corpora, labels, nothing, nothing, nothing[owners], owners, np.zeros(49, np.float32))

    odds = sampling_odds(bank, np.arange(49))

    def share(corpus: str, label: int) -> float:
        return float(odds[(corpora[owners] == corpus) & (labels[owners] == label)].sum())

    assert [share("large", c) for c in range(2)] == pytest.approx([1 / 4] * 2)
    assert [share("small", c) for c in range(3)] == pytest.approx([1 / 6] * 3)
    assert odds[[0, 47, 48]].sum() == pytest.approx(odds[1]), "versions of a clip share its odds"


def test_every_speaker_is_held_out_once_and_every_fold_has_some_of_every_corpus() -> None:
    bank = people(10)

    folds = speaker_folds(bank.corpora, bank.speakers, 5)

    held = [set(bank.speakers[fold]) for fold in folds]
    assert sorted(name for own in held for name in own) == sorted(set(bank.speakers))
    assert all(set(bank.corpora[fold]) == {"a", "b"} for fold in folds)


def test_a_fold_is_calibrated_by_the_others() -> None:
    bank = people(4)
    folds = speaker_folds(bank.corpora, bank.speakers, 2)
    logits = np.zeros((len(bank.labels), len(EMOTIONS)))
    # Right in the first fold and wrong in the second: each fold has to take the other's confidence.
    for fold, said in zip(folds, (bank.labels, (bank.labels + 1) % len(EMOTIONS)), strict=True):
        logits[fold, said[fold]] = 4.0

    sure = across_folds(logits, bank, folds).max(axis=1)

    assert sure[folds[1]].min() > 0.95 > 0.3 > sure[folds[0]].max()


def recorded(folder: Path) -> list[str]:
    """Two miniature corpora and some speech of others, and the options that name them."""
    for actor in (1, 2):
        for emotion in (1, 3, 4, 5):
            path = folder / "ravdess" / f"Actor_{actor:02d}" / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * voice(100 + 20 * emotion, 0.5, seed=actor), RATE)
    (folder / "nemo" / "samples").mkdir(parents=True)
    rows = ["file_id\temotion\traw_text\tspeaker_id\tgender\tage"]
    for speaker in ("KS0", "MP0"):
        for emotion in ("anger", "sadness"):
            soundfile.write(folder / "nemo" / "samples" / f"{speaker}_{emotion}.wav", 0.1 * voice(200, 0.5), RATE)
            rows.append(f"{speaker}_{emotion}.wav\t{emotion}\tTekst\t{speaker}\tfemale\t30")
    (folder / "nemo" / "data.tsv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "others").mkdir()
    soundfile.write(folder / "others" / "one.wav", 0.1 * voice(150, 3.0), RATE)
    corpora = [word for name in ("ravdess", "nemo") for word in (f"--{name}", str(folder / name))]
    steps = ["--folds", "2", "--front-end-steps", "2", "--encoder-steps", "2", "--steps", "4"]
    return [*corpora, "--unlabelled", str(folder / "others"), *steps]


def test_one_command_makes_a_bundle_with_its_card_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    options = recorded(tmp_path)

    main([*options, "--out", str(tmp_path / "one")])
    first = load_bundle(str(tmp_path / "one"))
    assert all(path.stat().st_size < 16e6 for path in (tmp_path / "one.work").iterdir())
    (tmp_path / "one.work" / "fold-2.safetensors").unlink()
    main([*options, "--out", str(tmp_path / "one")])

    assert load_bundle(str(tmp_path / "one")).meta == first.meta
    assert set(first.meta.metrics["speakers"]) == {"ravdess-01", "ravdess-02", "nemo-KS0", "nemo-MP0"}
    assert {path.name for path in (tmp_path / "one").iterdir()} >= {REPORT, "MODEL_CARD.md"}
    side = {
        "location": str(tmp_path / "one"), "sha256": first.meta.sha256, "name": "x", "kind": first.meta.kind,
        "config": first.meta.config, "temperature": first.meta.temperature,
    }  # fmt: skip
    speech = MakiuchiSpeech.load(side, "cpu")
    frames = speech.frames([voice(150, 1.0), np.zeros(0, dtype=np.float32)])
    scores = speech.scores(frames, np.zeros((2, 256 + USUAL), dtype=np.float32))
    assert scores[0].sum() == pytest.approx(1) and np.isnan(scores[1]).all()


def test_the_floor_is_measured_on_people_it_was_not_fitted_on() -> None:
    bank = people(10)
    rng = np.random.default_rng(0)
    # Rows that name the speaker and nothing else: worth nothing on other people.
    names = {name: rng.standard_normal(6) * 5 for name in set(bank.speakers)}
    told = np.stack([names[speaker] for speaker in bank.speakers]).astype(np.float32)
    heard = np.eye(len(EMOTIONS), dtype=np.float32)[bank.labels]

    nothing, everything = (floor_of(rows, bank.labels, bank.corpora, bank.speakers, 5) for rows in (told, heard))

    for corpus in ("a", "b"):
        assert everything[corpus]["value"] == 1
        assert nothing[corpus]["value"] < 0.5
