"""Recognition with Whisper (Radford et al. 2022): greedy, batched, guarded against text that nobody said."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer
from transformers.modeling_outputs import BaseModelOutput

from ml.checkpoints.errors import CheckpointUnreadable, CheckpointUnsupported
from ml.quiet import quiet
from ml.transcription.token_times import token_times, words_of
from ml.transcription.transcriber import Heard, spoken_words

SAMPLE_RATE = 16_000
#: Pieces of one pass. Each costs a full window (30 s) in the encoder, however short it is.
TOGETHER = {"cpu": 4, "cuda": 16}
#: Radford et al., section 4.5: text that compresses better than this repeats itself; and where the first token says
#: "no speech" with this probability and the mean log-probability of the text is below that, nobody spoke.
REPETITIVE, SILENT, UNLIKELY = 2.4, 0.6, -1.0
#: Codes that are Whisper's own.
_ISO = {"jw": "jv"}


@dataclass(frozen=True, slots=True)
class _Written:
    """Tokens of one piece, the probability of each [tokens], and what the guard asks for."""

    tokens: list[int]
    sure: NDArray[np.float32]
    mean_log_probability: float
    no_speech: float
    #: Seconds at which each token begins, and one more: when the last one ends. None: the checkpoint cannot tell.
    times: NDArray[np.float64] | None


class WhisperTranscriber:
    """A Whisper checkpoint. With `alignment_heads` in its generation_config.json it times its words."""

    def __init__(self, model: Any, extractor: Any, tokenizer: Any) -> None:
        self._model, self._extractor, self._tokenizer = model.eval(), extractor, tokenizer
        settings = model.generation_config
        languages: dict[str, int] = getattr(settings, "lang_to_id", None) or {}
        self._languages = {_ISO.get(code, code): code for code in (token.strip("<|>") for token in languages)}
        self._ids = {code: languages[f"<|{own}|>"] for code, own in self._languages.items()}
        self._heads: list[tuple[int, int]] = [(a, b) for a, b in getattr(settings, "alignment_heads", None) or ()]
        vocabulary = tokenizer.get_vocab()
        # The name changed with the third version.
        self._nobody = vocabulary.get("<|nospeech|>", vocabulary.get("<|nocaptions|>"))
        self._encoder_s = float(extractor.chunk_length / model.config.max_source_positions)

    @classmethod
    def load(cls, folder: Path) -> "WhisperTranscriber":
        """Load a folder in the Hub's format, in float32, on a GPU where there is one.

        Half precision would make what is heard depend on what shares the batch. Raises `CheckpointUnreadable`, or
        `CheckpointUnsupported` for a checkpoint whose generation_config.json predates language tokens.
        """
        try:
            with quiet():
                model, report = WhisperForConditionalGeneration.from_pretrained(
                    folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, output_loading_info=True
                )
                extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
                tokenizer = WhisperTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as exc:
            raise CheckpointUnreadable(f"the checkpoint in {folder} cannot be loaded ({type(exc).__name__})") from exc
        if report["missing_keys"]:
            raise CheckpointUnreadable(f"{folder} lacks {len(report['missing_keys'])} tensors of its model")
        settings = model.generation_config
        multilingual = getattr(settings, "is_multilingual", None)
        if multilingual is None or (multilingual and not getattr(settings, "lang_to_id", None)):
            raise CheckpointUnsupported(
                f"generation_config.json in {folder} does not say which languages it knows",
                hint="Take the checkpoint's newest revision, whose generation_config.json has lang_to_id.",
            )
        return cls(model.to("cuda" if torch.cuda.is_available() else "cpu"), extractor, tokenizer)

    @property
    def max_s(self) -> float:
        """The window of the encoder: 30 s."""
        return float(self._extractor.chunk_length)

    def knows(self, language: str) -> bool:
        """Whether there is a token for the language; a checkpoint without such tokens is for English."""
        return language in (self._languages or {"en"})

    @torch.inference_mode()
    def detect(self, waveforms: Sequence[NDArray[np.float32]]) -> str | None:
        """The most probable language over all waveforms [samples], each weighted by its length."""
        if not self._languages:
            return "en"
        codes = list(self._ids)
        total = np.zeros(len(codes))
        for begin in range(0, len(waveforms), self._together):
            group = waveforms[begin : begin + self._together]
            encoded = self._encoded(group)
            start = torch.full((len(group), 1), self._model.generation_config.decoder_start_token_id)
            logits = self._decoded(encoded, start)[:, 0, [self._ids[code] for code in codes]]
            total += np.array([len(wave) for wave in group]) @ logits.double().softmax(-1).cpu().numpy()
        return codes[int(total.argmax())] if len(waveforms) else None

    @torch.inference_mode()
    def transcribe(self, waveforms: Sequence[NDArray[np.float32]], language: str | None) -> list[Heard]:
        """Write down waveforms [samples] of at most `max_s`, in a language that it knows; None: in English."""
        heard: list[Heard] = []
        for begin in range(0, len(waveforms), self._together):
            group = waveforms[begin : begin + self._together]
            for wave, written in zip(group, self._written(group, language or "en"), strict=True):
                heard.append(self._heard(written, language or "en", len(wave) / SAMPLE_RATE))
        return heard

    @property
    def _together(self) -> int:
        return TOGETHER[self._model.device.type]

    def _encoded(self, waveforms: Sequence[NDArray[np.float32]]) -> Tensor:
        """Encoder states [B, positions, hidden]; every piece fills a whole window, so none depends on its company."""
        features = self._extractor(list(waveforms), sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features
        states: Tensor = self._model.get_encoder()(features.to(self._model.device)).last_hidden_state
        return states

    def _decoded(self, encoded: Tensor, tokens: Tensor) -> Tensor:
        """Scores [B, T, vocabulary] of what follows each of some given tokens [B, T]."""
        logits: Tensor = self._model(
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
            decoder_input_ids=tokens.to(self._model.device),
            use_cache=False,
        ).logits
        return logits

    def _written(self, waveforms: Sequence[NDArray[np.float32]], language: str) -> Iterator[_Written]:
        settings = self._model.generation_config
        spoken: dict[str, str] = {}
        prompt = [settings.decoder_start_token_id, settings.no_timestamps_token_id]
        if self._languages:
            spoken = {"language": self._languages[language], "task": "transcribe"}
            prompt[1:1] = [self._ids[language], settings.task_to_id["transcribe"]]
        encoded = self._encoded(waveforms)
        with quiet():
            found = self._model.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
                return_timestamps=False,
                temperature=0.0,
                num_beams=1,
                **spoken,
            )
        # A text that fills the decoder is cut by a token, so that its end can be scored too.
        room = self._model.config.max_target_positions - len(prompt) - 1
        rows = [_until(row, settings.eos_token_id)[:room] for row in found.tolist()]
        # Once more with all tokens at once: what follows a piece's own end in the batch then has no say in its scores
        # and times, while in `generate` the times of a short text would change with the longest beside it.
        length = len(prompt) + max(map(len, rows)) + 1
        given = torch.full((len(rows), length), settings.eos_token_id)
        for row, tokens in enumerate(rows):
            given[row, : len(prompt) + len(tokens)] = torch.tensor(prompt + tokens)
        with self._attention() as seen:
            scores = self._decoded(encoded, given).log_softmax(-1)
        for row, tokens in enumerate(rows):
            first = len(prompt) - 1
            said = torch.tensor([*tokens, settings.eos_token_id], device=scores.device)
            own = scores[row, first : first + len(said)].gather(1, said[:, None])[:, 0]
            silent = 0.0 if self._nobody is None else float(scores[row, 0, self._nobody].exp())
            times = None
            if seen:
                positions = max(1, round(len(waveforms[row]) / SAMPLE_RATE / self._encoder_s))
                weights = torch.stack(seen)[:, row, first : first + len(said), :positions]
                width = int(self._model.config.median_filter_width)
                times = token_times(weights.cpu().numpy(), width) * self._encoder_s
            yield _Written(tokens, own[:-1].exp().cpu().numpy(), float(own.mean()), silent, times)

    @contextmanager
    def _attention(self) -> Iterator[list[Tensor]]:
        """What the alignment heads look at in the passes inside the block: [B, T, positions] for each head."""
        seen: list[Tensor] = []
        if not self._heads:
            yield seen
            return
        by_layer: dict[int, list[int]] = {}
        for layer, head in self._heads:
            by_layer.setdefault(layer, []).append(head)
        layers = self._model.model.decoder.layers
        handles = [
            layers[layer].encoder_attn.register_forward_hook(
                lambda _module, _given, output, heads=heads: seen.extend(output[1][:, head] for head in heads)
            )
            for layer, heads in by_layer.items()
        ]
        usual = self._model.config._attn_implementation
        # The faster implementations do not tell their weights.
        self._model.set_attn_implementation("eager")
        try:
            yield seen
        finally:
            self._model.set_attn_implementation(usual)
            for handle in handles:
                handle.remove()

    def _heard(self, written: _Written, language: str, duration_s: float) -> Heard:
        text = " ".join(self._tokenizer.decode(written.tokens, skip_special_tokens=True).split())
        if not credible(text, written.mean_log_probability, written.no_speech):
            return Heard()
        if written.times is None:
            return Heard(text)
        times = np.minimum(written.times, duration_s)
        words = [
            word
            for piece, first, end in words_of(self._tokenizer, written.tokens, language)
            for word in spoken_words(piece, times[first], times[end], float(written.sure[first:end].mean()))
        ]
        return Heard(text, tuple(words))


def credible(text: str, mean_log_probability: float, no_speech: float) -> bool:
    """Whether a text was probably said (Radford et al., section 4.5).

    The paper samples again, hotter and hotter, where text repeats itself; here such text is dropped, so that the same
    sound always gives the same text.
    """
    raw = text.encode()
    if not raw or len(raw) / len(zlib.compress(raw)) > REPETITIVE:
        return False
    return not (no_speech > SILENT and mean_log_probability < UNLIKELY)


def _until(tokens: list[int], end: int) -> list[int]:
    return tokens[: tokens.index(end)] if end in tokens else tokens
