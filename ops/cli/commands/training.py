"""`tenor train` and `tenor evaluate`: what can be typed."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ops.cli import completing
from ops.cli.options import Json

commands = typer.Typer()

Cache = Annotated[
    Path | None, typer.Option(help="Where features are kept.", show_default="TENOR_HOME/features", metavar="DIR")
]
CacheBound = Annotated[float, typer.Option("--cache-gb", min=0.01, help="How large the features' folder may become.")]
Digest = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write the figures alone as a small JSON file, to keep and compare."),
]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1.", show_default="the GPU, if there is one")]


@commands.command()
def train(
    recipe: Annotated[Literal["makiuchi2021", "text"], typer.Argument(help="What to train.")],
    corpus: Annotated[
        list[str],
        typer.Option(
            "--corpus", metavar="NAME[=PATH]", help="A labelled corpus; without PATH it is looked for in --data."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder that holds corpora by name.", show_default="TENOR_DATA_DIR"),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="Speech encoder: folder, Hub id, or shipped:NAME.", show_default="the shipped one"),
    ] = None,
    text_encoder: Annotated[
        str | None, typer.Option(help="Train the text side too, over this encoder: folder, Hub id, or package:NAME.")
    ] = None,
    encoders: Annotated[
        str | None, typer.Option(help="Text encoders to compare, with commas.", show_default="the installed MiniLM")
    ] = None,
    text_corpus: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=PATH]", help="Texts of another corpus; fused with speech in ARTIFICIAL pairs."),
    ] = None,
    variant: Annotated[Literal["small", "large", "mel"], typer.Option(help="Source A's speech model.")] = "small",
    compare: Annotated[
        str | None, typer.Option(help="Several of small, large, mel, no-reconstruction, with commas, in one table.")
    ] = None,
    faithful: Annotated[
        bool, typer.Option("--faithful", help="The paper's encoders, fixed schedule and released code, traps included.")
    ] = False,
    classes: Annotated[str, typer.Option(help="4, 7, or names with commas.")] = "4",
    folds: Annotated[
        str | None,
        typer.Option(
            help="session, speaker, split, or a number of speaker groups.", show_default="what the corpus has"
        ),
    ] = None,
    only_folds: Annotated[
        int | None, typer.Option(min=1, help="Compute only so many folds, for a quick look.", show_default="all")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps at most.", show_default="4000")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Crops or texts per step.", show_default="16")] = None,
    rate: Annotated[float | None, typer.Option(min=0.0, help="Adam's learning rate.", show_default="5e-4")] = None,
    judge_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between looks at the development speakers.", show_default="100")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Looks without a gain before training stops.", show_default="10")
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(min=8, help="Channels of the convolutions; other widths follow.", show_default="2 × encoder's"),
    ] = None,
    class_weights: Annotated[
        bool,
        typer.Option(
            "--class-weights/--no-class-weights",
            help="Rare classes count as much as frequent ones: better balanced accuracy, worse weighted F1.",
        ),
    ] = True,
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="Majority, eGeMAPS + SVM, mel input, pooled encoder.")
    ] = True,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Look for speakers in the codes of small and large.")
    ] = True,
    bundle: Annotated[
        bool, typer.Option("--bundle/--no-bundle", help="Train on all speakers at the end, for a profile.")
    ] = True,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's folder.", show_default="TENOR_HOME/models/…")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Folds that are computed at once.")] = 1,
    cache: Cache = None,
    cache_gb: CacheBound = 20.0,
    device: Device = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 1,
    digest: Digest = None,
    json: Json = False,
) -> None:
    """Train a published model on labelled corpora, test it on people it never heard, and write a report."""
    given = dict(locals())
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.reproducing import command_line
        from ops.cli.training import Options
        from ops.cli.training import train as run

        del given["json"]
        run(current, Options(**given), command_line("train", train, given))


@commands.command()
def evaluate(
    profile: Annotated[
        str,
        typer.Argument(
            metavar="PROFILE", help="A bundled profile's name or a TOML file.", autocompletion=completing.profiles
        ),
    ],
    corpus: Annotated[
        tuple[str, Path],
        typer.Option("--corpus", metavar="NAME PATH", help="A labelled corpus, and its folder or file."),
    ],
    classes: Annotated[
        str | None, typer.Option(help="4, 7, or names with commas.", show_default="all of the profile")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Only the corpus's own train, dev or test part.", show_default="all")
    ] = None,
    device: Device = None,
    digest: Digest = None,
    json: Json = False,
) -> None:
    """Measure a profile on a corpus that it never saw: by voice, by words, and fused."""
    given = dict(locals())
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.reproducing import command_line
        from ops.cli.training import evaluate as run

        typed = command_line("evaluate", evaluate, given)
        run(current, profile, corpus[0], corpus[1], classes, split, device, digest, typed)
