"""How the small speech model is made: what it hears without labels, what is usual for a voice, and runs that resume."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from ml.bundles import load_bundle
from ml.encoders.speech import SpeechEncoder, normalise
from ml.training.checkpoint import CheckpointUnreadable
from ml.training.feature_bank import Version, feature_bank
from ml.training.front_end import FrameBank, Standard, convolve_frames, train_front_end
from ml.training.speaker_baseline import MEASURES, Measures, Voices, fit_baseline
from ml.training.speech_batches import Batches, sampling_odds
from ml.training.speech_data import Clip
from ml.training.speech_judging import Shipped, shipped_tensors
from ml.training.speech_loop import Plan, SpeechLoop
from ml.training.speech_model import SEGMENT, SpeechModel, folded
from ml.training.tracks import (
    F0,
    F0_FUNCTIONALS,
    FUNCTIONALS,
    TRACKS,
    VOICED,
    VOICING,
    frame_count,
    functionals,
    tracks,
)
from ml.training.train_speech import main

RATE = 16_000


def voice(hertz: NDArray[np.float64] | float, seconds: float, *, seed: int = 0) -> NDArray[np.float32]:
    """A buzz [n] of eight harmonics and a little noise; `hertz` may glide from sample to sample."""
    count = int(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hertz, count)) / RATE
    buzz = sum(np.sin(n * phase) / n for n in range(1, 9))
    return normalise((buzz + 0.02 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32))


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

    rising, falling = (functionals(tracks(voice(way, 1.0))) for way in (glide, glide[::-1]))

    assert len(rising) == FUNCTIONALS
    assert rising[5] > 0.3 > -0.3 > falling[5]  # octaves per second
    assert rising[8] > 0 > falling[8]


def test_a_change_of_pitch_moves_the_measures_that_are_said_to_move() -> None:
    low, high = (tracks(voice(hertz, 1.0)) for hertz in (150, 180))
    measures = Measures(Standard(np.zeros(TRACKS), np.ones(TRACKS)), np.zeros(FUNCTIONALS), np.ones(FUNCTIONALS))

    moved = measures.shift(float(np.log2(180 / 150)))

    difference = functionals(high) - functionals(low)
    np.testing.assert_allclose(difference[list(F0_FUNCTIONALS)], moved[list(F0_FUNCTIONALS)], atol=0.01)


def test_frames_alone_and_the_convolutions_over_a_waveform_give_the_same() -> None:
    torch.manual_seed(0)
    model, wave = SpeechModel().encoder.eval(), voice(140, 0.31)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 400)[::320]

    with torch.inference_mode():
        whole = model.feature_extractor(torch.from_numpy(wave)[None])[0].T
        alone = convolve_frames(model, torch.from_numpy(frames.copy()))

    assert len(whole) == frame_count(len(wave)) == SpeechEncoder(model).frames(len(wave))
    torch.testing.assert_close(whole, alone, rtol=1e-4, atol=1e-5)


def test_convolutions_learn_pitch_and_spectrum_of_a_voice_they_did_not_hear() -> None:
    torch.manual_seed(0)
    model, rng = SpeechModel().encoder, np.random.default_rng(0)
    glides = [np.geomspace(*rng.uniform(130, 300, 2), RATE) for _ in range(16)]
    waves = [voice(glide, 1.0, seed=n) for n, glide in enumerate(glides)]
    stored = [(wave * 8000).astype(np.int16) for wave in waves]
    bank = FrameBank(stored, [tracks(wave).astype(np.float16) for wave in waves])

    readout = train_front_end(model, bank, steps=200, batch=192, report=lambda _: None)

    unheard = voice(np.geomspace(150, 280, RATE), 1.0, seed=99)
    with torch.inference_mode():
        heard = readout(model.feature_extractor(torch.from_numpy(unheard)[None])[0].T).numpy()
    error = np.square(heard - bank.standard.apply(tracks(unheard)))[2:-2].mean(axis=0)
    # 1 is what the mean of each track would give.
    assert error[F0] < 0.5
    assert error[:7].mean() < 0.6, "the bands that resolve harmonics"


def test_what_is_usual_for_a_voice_is_guessed_for_people_who_were_not_heard() -> None:
    rng = np.random.default_rng(0)
    traits = rng.standard_normal((4, MEASURES))

    def person() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        own = rng.standard_normal(4)
        vectors = 0.06 + np.pad(0.1 * own, (0, 252)) + 0.005 * rng.standard_normal((12, 256))
        return vectors.astype(np.float32), (own @ traits).astype(np.float32)

    labelled = {f"speaker-{n}": person() for n in range(15)}
    unlabelled = [(vectors[0], measures) for vectors, measures in (person() for _ in range(200))]

    baseline = fit_baseline(labelled, unlabelled, rng)

    strangers = [person() for _ in range(30)]
    guessed = np.stack([vectors.mean(axis=0) @ baseline for vectors, _ in strangers])
    actual = np.stack([measures for _, measures in strangers])
    judged = [n for n in range(MEASURES) if n != 13]
    left = np.square(guessed - actual)[:, judged].mean() / np.square(actual)[:, judged].mean()
    assert left < 0.3
    assert not guessed[:, 13].any(), "the length of utterances is no trait of a voice"


def test_the_shipped_classifier_says_what_the_trained_model_says() -> None:
    torch.manual_seed(0)
    model = SpeechModel().eval()
    for norm in (m for m in model.head.modules() if isinstance(m, torch.nn.BatchNorm1d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    baseline, vector = torch.randn(256, MEASURES), torch.rand(2, 256)
    waves = [voice(150, 1.2), voice(250, 2.9)]

    encoded = SpeechEncoder(model.encoder).encode(waves, model.layer_weights.detach().numpy())
    shipped = folded(model, baseline).predict(encoded, vector.numpy())

    for wave, voice_vector, probabilities in zip(waves, vector, shipped, strict=True):
        with torch.inference_mode():
            features = model.encoder.feature_extractor(torch.from_numpy(wave)[None]).transpose(1, 2)
            count = features.shape[1]
            padded = torch.nn.functional.pad(features, (0, 0, 0, -count % SEGMENT))
            heard = model(padded, torch.tensor([count]), (voice_vector @ baseline)[None])
            own = (heard.logits.softmax(dim=2) * heard.real[:, :, None]).sum(dim=1) / count
        np.testing.assert_allclose(own[0].numpy(), probabilities, atol=1e-4)


def clips_of(*counts: tuple[str, int, int]) -> list[Clip]:
    """Clips without sound: (corpus, label, how many) each."""
    silent = np.zeros(0, dtype=np.float32)
    return [Clip(f"{c}-{y}-{n}", c, f"{c}-speaker", y, silent, silent) for c, y, count in counts for n in range(count)]


def test_corpora_are_drawn_evenly_and_so_are_their_classes() -> None:
    clips = clips_of(("large", 0, 30), ("large", 1, 10), ("small", 0, 2), ("small", 1, 1), ("small", 2, 4))

    odds = sampling_odds(clips)

    share = {
        key: sum(p for p, clip in zip(odds, clips, strict=True) if (clip.corpus, clip.label) == key)
        for key in {(clip.corpus, clip.label) for clip in clips}
    }
    assert [share["large", c] for c in range(2)] == pytest.approx([1 / 4] * 2)
    assert [share["small", c] for c in range(3)] == pytest.approx([1 / 6] * 3)


def small_batches() -> tuple[Batches, Standard]:
    rng = np.random.default_rng(0)
    clips = clips_of(("c", 0, 3), ("c", 1, 3))
    bank = [
        [Version(rng.standard_normal((110, 192)).astype(np.float16), rng.standard_normal(FUNCTIONALS), 0.0)]
        for _ in clips
    ]
    frame = Standard(np.zeros(TRACKS, dtype=np.float32), np.ones(TRACKS, dtype=np.float32))
    measures = Measures(frame, np.zeros(FUNCTIONALS, dtype=np.float32), np.ones(FUNCTIONALS, dtype=np.float32))
    voices = Voices({"c-speaker": rng.random((5, 256)).astype(np.float32)}, np.zeros((256, MEASURES), np.float32))
    return Batches(clips, bank, measures, voices), frame


def trained(folder: Path, *, stop_at: int | None = None, seed: int = 1) -> dict[str, torch.Tensor]:
    """Run a plan of six steps, as another process would; `stop_at` kills it when so many are reported."""
    torch.manual_seed(0)
    plan = Plan(measure_steps=2, emotion_steps=4, batch=4, save_every=2)
    loop = SpeechLoop(SpeechModel(), plan, seed=seed, device="cpu", checkpoint=folder / "model.safetensors")

    def report(_: str) -> None:
        if loop.done == stop_at:
            raise KeyboardInterrupt

    batches, frame = small_batches()
    return {name: t.clone() for name, t in loop.run(batches, frame, report).state_dict().items()}


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


def test_a_clip_is_learned_cut_close_with_its_silence_and_varied_by_the_seed() -> None:
    torch.manual_seed(0)
    speech = voice(200, 0.6)
    encoder, clip = SpeechModel().encoder, Clip("a", "c", "s", 0, speech, np.pad(speech, 8000))

    ((plain, whole, varied),), ((_, _, again),) = (
        feature_bank(encoder, [clip], versions=1, seed=5, device="cpu") for _ in range(2)
    )

    assert plain.octaves == 0 and len(plain.features) == frame_count(len(clip.samples))
    assert whole.octaves == 0 and len(whole.features) == frame_count(len(clip.recorded))
    np.testing.assert_array_equal(varied.features, again.features)
    np.testing.assert_allclose(plain.functionals, functionals(tracks(normalise(clip.samples))), rtol=1e-5)


def test_half_precision_changes_the_shipped_scores_by_less_than_a_percent() -> None:
    torch.manual_seed(0)
    model, baseline = SpeechModel().eval(), np.zeros((256, MEASURES), dtype=np.float32)
    head = folded(model, torch.from_numpy(baseline))
    clips = [Clip("a", "c", "s", 0, voice(200, 1.0), voice(200, 1.0))]
    voices = Voices({"s": np.full((1, 256), 0.06, dtype=np.float32)}, baseline)

    shipped = Shipped.of(shipped_tensors(model, baseline), head.to_config()).scores(clips, voices)

    frames = SpeechEncoder(model.encoder).encode([clips[0].recorded], model.layer_weights.detach().numpy())
    full = head.predict(frames, np.full((1, 256), 0.06, dtype=np.float32))
    np.testing.assert_allclose(shipped.probabilities(), full, atol=0.01)


def test_one_command_makes_a_bundle_from_two_corpora_and_ends_at_once_when_all_is_made(tmp_path: Path) -> None:
    vectors = {}
    for actor in (1, 2, 15, 17):
        for emotion in (1, 3, 4, 5):
            name, folder = f"03-01-{emotion:02d}-01-01-01-{actor:02d}", tmp_path / "ravdess" / f"Actor_{actor:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / f"{name}.wav", 0.1 * voice(100 + 20 * emotion, 0.5, seed=actor), RATE)
            vectors[name] = np.full(256, 0.05 + 0.01 * (actor % 2), dtype=np.float32)
    (tmp_path / "nemo" / "samples").mkdir(parents=True)
    rows = ["file_id\temotion\traw_text\tspeaker_id\tgender\tage"]
    for speaker in ("KS0", "MP0", "KD0"):
        for emotion in ("anger", "sadness"):
            name = f"{speaker}_{emotion}"
            soundfile.write(tmp_path / "nemo" / "samples" / f"{name}.wav", 0.1 * voice(200, 0.5), RATE)
            rows.append(f"{name}.wav\t{emotion}\tTekst\t{speaker}\tfemale\t30")
            vectors[name] = np.full(256, 0.06, dtype=np.float32)
    (tmp_path / "nemo" / "data.tsv").write_text("\n".join(rows), encoding="utf-8")
    np.savez(tmp_path / "voices.npz", **vectors)
    places = {name: str(tmp_path / name) for name in ("ravdess", "nemo", "voices.npz", "out")}
    steps = ["--front-end-steps", "2", "--measure-steps", "1", "--emotion-steps", "1", "--cycles", "1"]
    corpora = ["--ravdess", places["ravdess"], "--nemo", places["nemo"], "--voices", places["voices.npz"]]

    main([*corpora, "--out", places["out"], *steps])
    first = load_bundle(places["out"])
    main([*corpora, "--out", places["out"], *steps])

    assert load_bundle(places["out"]).meta == first.meta
    assert all(tensor.isfinite().all() for tensor in first.tensors.values())
    assert set(first.meta.metrics["test"]["speakers"]) == {"ravdess-17", "nemo-KD0"}
