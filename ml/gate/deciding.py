"""The rule of promotion: better where it was meant to be, and nowhere worse."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ml.gate.comparing import Comparison


@dataclass(frozen=True, slots=True)
class Rule:
    """What a challenger has to show. Differences are of balanced accuracy."""

    #: People and utterances that a comparison on new data needs.
    min_speakers: int = 4
    min_items: int = 40
    #: A significant loss up to this size is forgiven on earlier corpora and in groups.
    margin: float = 0.02
    #: A loss of this size counts even where too few people leave it uncertain …
    max_loss: float = 0.10
    #: … but not among fewer utterances than this.
    max_loss_items: int = 60


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome: a code, the reason as a sentence, and whether it may be promoted."""

    passed: bool
    code: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def decide(
    new: Comparison,
    earlier: Sequence[Comparison],
    groups: Sequence[Comparison],
    rule: Rule | None = None,
    *,
    sides: Sequence[Comparison] = (),
) -> Decision:
    """Whether a challenger is promoted.

    It has to be better on new people: the whole 95 % interval of the difference lies above zero. On earlier corpora and
    in every group of the new people it must not be worse: neither significantly and by more than the margin, nor by a
    loss that is large however uncertain; nor may one of its `sides` be, by voice or by words alone, which the other
    hides while it is better. Chance would let one in forty worthless challengers pass the first, and fewer
    both.
    """
    rule = rule or Rule()
    if new.speakers < rule.min_speakers or new.items < rule.min_items:
        return Decision(
            False,
            "too_little_data",
            f"{new.items} utterances of {new.speakers} people are too few to decide on "
            f"({rule.min_items} of {rule.min_speakers} are needed)",
        )
    if worse := [one for one in (*earlier, *groups, *sides) if is_worse(one, rule)]:
        first = min(worse, key=lambda one: one.difference)
        more = f", and on {len(worse) - 1} more" if len(worse) > 1 else ""
        return Decision(False, "negative_transfer", f"worse on {said(first)}{more}")
    if new.low <= 0:
        return Decision(False, "not_better", f"not significantly better on {said(new)}")
    checked = f"; no worse on {len(earlier)} earlier corpora and in {len(groups)} groups" if earlier or groups else ""
    return Decision(True, "better", f"better on {said(new)}{checked}")


def is_worse(one: Comparison, rule: Rule) -> bool:
    """Whether a loss counts."""
    significant = one.high < 0 and one.difference < -rule.margin
    return significant or (one.difference < -rule.max_loss and one.items >= rule.max_loss_items)


def said(one: Comparison) -> str:
    """A comparison as part of a sentence."""
    return (
        f"{one.name}: {one.champion:.3f} → {one.challenger:.3f}, "
        f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}] ({one.items} utterances, {one.speakers} people)"
    )
