"""Source A's speech model as published: sizes, what each part sees, which losses there are, and that it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ml.errors import ModelError
from ml.models.makiuchi.config import CrossRepresentationConfig, LossWeights, SpeechEmotionConfig
from ml.models.makiuchi.cross import CrossRepresentation, Output
from ml.models.makiuchi.segments import crop, crop_start, pieces

TINY = CrossRepresentationConfig(
    emotion=SpeechEmotionConfig(
        input_size=6, speaker_size=4, channels=8, bottleneck=3, factor=4, segment_frames=12, hidden=16, classes=4
    ),
    layers=3, mel_bands=5, phone_classes=7, phone_channels=8, phone_size=4, decoder_channels=8, decoder_size=12,
    postnet_channels=8,
)  # fmt: skip


def tiny(**losses: float) -> CrossRepresentation:
    torch.manual_seed(0)
    return CrossRepresentation(replace(TINY, losses=LossWeights(**losses)))


def batch(count: int, *, layers: bool = True) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Frames (all hidden states or averaged), speakers, mel, phones."""
    torch.manual_seed(1)
    shape = (count, 3, 12, 6) if layers else (count, 12, 6)
    return torch.randn(shape), torch.randn(count, 4), torch.rand(count, 12, 5), torch.randint(0, 7, (count, 12))


def millions(module: nn.Module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


@pytest.mark.parametrize(("variant", "whole"), [("small", 84.4), ("large", 89.0)])
def test_the_paper_variants_have_the_released_models_sizes(variant: str, whole: float) -> None:
    with torch.device("meta"):
        model = CrossRepresentation(CrossRepresentationConfig.named(variant, classes=4))

    assert millions(model) == pytest.approx(whole, abs=0.05)


def test_every_part_of_small_has_the_released_parts_size() -> None:
    with torch.device("meta"):
        model = CrossRepresentation(CrossRepresentationConfig.named("small", classes=4))
    assert model.phones is not None and model.decoder is not None and model.postnet is not None
    classifier = millions(model.emotion.classifier)

    assert millions(model.emotion) - classifier == pytest.approx(55.2, abs=0.05)
    assert classifier == pytest.approx(0.02, abs=0.005)
    assert millions(model.decoder) == pytest.approx(20.8, abs=0.06)
    assert millions(model.postnet) == pytest.approx(4.3, abs=0.06)
    assert millions(model.phones) == pytest.approx(4.0, abs=0.05)


def test_the_variants_differ_where_the_paper_says() -> None:
    small, large, mel = (CrossRepresentationConfig.named(name).emotion for name in ("small", "large", "mel"))

    assert (small.codes, small.code_size) == (2, 16)
    assert (large.codes, large.code_size) == (48, 256)
    assert (mel.input_size, mel.channels, mel.codes, mel.code_size) == (80, 512, 2, 16)
    assert CrossRepresentationConfig.named("mel").layers == 0
    with pytest.raises(ModelError, match="small, large, mel"):
        SpeechEmotionConfig.named("tiny")


def test_the_released_choices_are_named_and_apart_from_the_corrected_ones() -> None:
    released, corrected = SpeechEmotionConfig.named("small", faithful=True), SpeechEmotionConfig.named("small")

    assert (released.segment_weight, released.single_frame_tail, released.activation) == ("equal", "dropped", "none")
    assert (corrected.segment_weight, corrected.single_frame_tail, corrected.activation) == ("frames", "kept", "none")


def test_a_configuration_survives_a_checkpoint() -> None:
    assert CrossRepresentationConfig.from_json(TINY.to_json()) == TINY


def test_shapes_of_every_output() -> None:
    frames, speakers, mel, phones = batch(2)

    output = tiny()(frames, speakers, mel, phones)

    assert output.logits.shape == (2, 4)
    assert output.codes.shape == (2, 3, 6)
    assert output.mel_before is not None and output.mel_after is not None
    assert output.mel_before.shape == output.mel_after.shape == (2, 12, 5)


def test_a_code_is_the_forward_state_at_its_last_frame_and_the_backward_state_at_its_first() -> None:
    model = tiny().emotion.eval()
    frames, speakers, _, _ = batch(1, layers=False)
    joined = torch.cat([frames, speakers[:, None].expand(-1, 12, -1)], dim=2)

    states, _ = model.recurrent(model.convolutions(joined.transpose(1, 2)).transpose(1, 2))
    codes = model.codes(frames, speakers)

    for number in range(3):
        expected = [*states[0, 4 * number + 3, :3].tolist(), *states[0, 4 * number, 3:].tolist()]
        # The speaker's part is summed apart from the frames', so the last bit may differ.
        assert codes[0, number].tolist() == pytest.approx(expected, abs=1e-6)


def test_states_are_averaged_by_free_weights_that_may_be_negative() -> None:
    model = tiny()
    assert model.layer_weights is not None
    with torch.no_grad():
        model.layer_weights.copy_(torch.tensor([2.0, -0.5, 1.0]))
    states, speakers, _, _ = batch(2)
    naive = sum(w * states[:, i] for i, w in enumerate([2.0, -0.5, 1.0])) / 2.5

    assert torch.allclose(model.average(states), naive, atol=1e-6)
    model.eval()
    assert torch.allclose(model(states, speakers).logits, model(naive, speakers).logits, atol=1e-5)
    with pytest.raises(ModelError, match="3 hidden states, not 2"):
        model.average(states[:, :2])


@pytest.mark.parametrize(
    "losses", [{}, {"postnet": 0.0}, {"decoder": 0.0}, {"decoder": 0.0, "postnet": 0.0}, {"emotion": 0.5}]
)
def test_gradients_reach_every_parameter_that_was_built(losses: dict[str, float]) -> None:
    model = tiny(**losses)
    frames, speakers, mel, phones = batch(4)

    found = model.losses(model(frames, speakers, mel, phones), torch.tensor([0, 1, 2, 3]), mel)
    found["total"].backward()

    assert {name for name in ("decoder", "postnet", "emotion") if losses.get(name, 1.0)} == found.keys() - {"total"}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_parts_that_no_loss_needs_are_not_built() -> None:
    plain, unrefined = tiny(decoder=0.0, postnet=0.0), tiny(postnet=0.0)
    frames, speakers, mel, phones = batch(2)

    assert plain.decoder is None and plain.postnet is None and plain.phones is None
    assert plain(frames, speakers, mel, phones).mel_before is None
    assert unrefined.decoder is not None and unrefined.postnet is None
    assert unrefined(frames, speakers, mel, phones).mel_after is None


def test_losses_are_weighted_means_over_all_elements_or_over_real_frames() -> None:
    model = tiny(decoder=2.0, postnet=3.0, emotion=0.5)
    mel = torch.zeros(2, 12, 5)
    before, after = torch.full((2, 12, 5), 2.0), torch.ones(2, 12, 5)
    before[1, 6:] = 10.0
    output = Output(torch.zeros(2, 4), before, after, torch.zeros(2, 3, 6))

    everything = model.losses(output, torch.tensor([0, 1]), mel)
    real = model.losses(output, torch.tensor([0, 1]), mel, counts=torch.tensor([12, 6]))

    assert everything["decoder"].item() == pytest.approx((18 * 4 + 6 * 100) / 24)
    assert real["decoder"].item() == pytest.approx(4)
    assert real["emotion"].item() == pytest.approx(np.log(4))
    assert real["total"].item() == pytest.approx(2 * 4 + 3 * 1 + 0.5 * np.log(4))


def test_labels_may_be_distributions_and_classes_may_weigh_more() -> None:
    model = tiny(decoder=0.0, postnet=0.0)
    output = Output(torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]), None, None, torch.zeros(2, 3, 6))

    hard = model.losses(output, torch.tensor([0, 1]))["emotion"]
    soft = model.losses(output, torch.eye(4)[[0, 1]])["emotion"]
    second = model.losses(output, torch.tensor([0, 1]), class_weights=torch.tensor([0.0, 1.0, 0.0, 0.0]))["emotion"]

    assert soft.item() == pytest.approx(hard.item())
    assert second.item() == pytest.approx(np.log(4))


def test_the_decoder_hears_speaker_and_phones_and_the_emotions_hear_no_phones() -> None:
    model = tiny().eval()
    frames, speakers, mel, phones = batch(1)
    said = model(frames, speakers, mel, phones)

    otherwise = model(frames, speakers, mel, (phones + 1) % 7)

    assert not torch.allclose(said.mel_before, otherwise.mel_before)
    assert torch.equal(said.logits, otherwise.logits)
    assert torch.equal(said.logits, model(frames, speakers).logits), "inference needs neither mel nor phones"


def test_what_does_not_fit_is_named() -> None:
    model = tiny()
    frames, speakers, mel, phones = batch(1)

    with pytest.raises(ModelError, match="phones of every frame"):
        model(frames, speakers, mel)
    with pytest.raises(ModelError, match="mel spectrogram of shape"):
        model(frames, speakers, mel[:, :8], phones)
    with pytest.raises(ModelError, match="multiple of factor"):
        model(frames[:, :, :10], speakers)
    with pytest.raises(ModelError, match="not all 0"):
        LossWeights(0, 0, 0)


def test_a_phone_decoder_without_phones_can_be_built() -> None:
    torch.manual_seed(0)
    model = CrossRepresentation(replace(TINY, phone_classes=0))
    frames, speakers, mel, _ = batch(1)

    assert model(frames, speakers, mel).mel_after is not None


def test_sixteen_utterances_are_learnt_by_heart_while_the_spectrogram_is_rebuilt() -> None:
    # Given sixteen utterances whose emotions are noise, to be learnt by heart, and whose sound follows from phones
    torch.manual_seed(3)
    model = CrossRepresentation(replace(TINY, layers=0))
    frames, phones = torch.randn(16, 12, 6), torch.randint(0, 7, (16, 12))
    speakers, labels = torch.randn(4, 4).repeat(4, 1), torch.arange(16) // 4
    mel = torch.rand(7, 5)[phones]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)

    # When the whole model is trained on them
    for _ in range(120):
        losses = model.losses(model(frames, speakers, mel, phones), labels, mel)
        optimiser.zero_grad()
        losses["total"].backward()
        optimiser.step()

    # Then each is recognised, as in use, and its spectrogram is nearer than the mean one
    probabilities = model.emotion.eval().predict(list(frames.numpy()), speakers.numpy())
    assert (probabilities.argmax(axis=1) == labels.numpy()).all()
    assert losses["postnet"].item() < mel.var().item()


def test_what_a_bundle_takes_is_what_inference_needs() -> None:
    model = tiny()

    tensors = model.inference_tensors()

    assert {name.partition(".")[0] for name in tensors} == {"head", "layer_weights"}
    head = {name.removeprefix("head.") for name in tensors if name != "layer_weights"}
    assert head == model.emotion.state_dict().keys()


def test_an_activation_between_the_linear_layers_is_a_choice() -> None:
    affine, curved = (
        CrossRepresentation(replace(TINY, emotion=replace(TINY.emotion, activation=name))).emotion.eval()
        for name in ("none", "relu")
    )
    codes = torch.randn(2, 3, 6)

    # An affine map takes the middle of two points to the middle of their images
    for model, is_affine in ((affine, True), (curved, False)):
        ends, middle = model.classify(codes), model.classify(codes.mean(dim=0, keepdim=True))
        assert torch.allclose(ends.mean(dim=0), middle[0], atol=1e-6) == is_affine


@pytest.mark.parametrize(
    ("frames", "kept", "dropped"),
    [
        (0, [], []),
        (1, [(0, 1)], [(0, 1)]),
        (96, [(0, 96)], [(0, 96)]),
        (97, [(0, 96), (96, 97)], [(0, 96)]),
        (98, [(0, 96), (96, 98)], [(0, 96), (96, 98)]),
        (193, [(0, 96), (96, 192), (192, 193)], [(0, 96), (96, 192)]),
    ],
)
def test_pieces_of_an_utterance_and_the_released_codes_lost_frame(
    frames: int, kept: list[tuple[int, int]], dropped: list[tuple[int, int]]
) -> None:
    assert pieces(frames, 96) == kept
    assert pieces(frames, 96, drop_single_frame=True) == dropped


def test_the_lost_frame_counts_in_no_score() -> None:
    torch.manual_seed(2)
    sizes = {"input_size": 6, "speaker_size": 4, "channels": 8, "hidden": 8, "classes": 4}
    released = CrossRepresentation(CrossRepresentationConfig.named("small", faithful=True, **sizes)).emotion.eval()
    frames = np.random.default_rng(0).normal(size=(97, 6)).astype(np.float32)
    voice = np.zeros((1, 4), np.float32)

    assert np.array_equal(released.predict([frames], voice), released.predict([frames[:96]], voice))
    assert len(released.utterance_codes([frames], voice)[0]) == 1


def test_crops_are_within_the_utterance_at_every_start_and_padded_where_it_is_short() -> None:
    rng = np.random.default_rng(4)

    assert {crop_start(6, 4, rng) for _ in range(200)} == {0, 1, 2}
    assert {crop_start(3, 4, rng) for _ in range(20)} == {0}
    values = np.arange(1, 7)
    assert crop(values, 2, 4).tolist() == [3, 4, 5, 6]
    assert crop(values, 4, 4).tolist() == [5, 6, 0, 0]
    assert crop(np.ones((2, 3), np.float32), 0, 4).sum(axis=1).tolist() == [3, 3, 0, 0]
