"""What the source does not contain: ways to run what somebody else wrote."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
#: Modules that run, or can run, what they read.
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
#: Functions that do.
CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("torch.load", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"),
    *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "pandas.read_pickle", "pd.read_pickle"),
    *("os.system", "os.popen", "tempfile.mktemp", "ssl._create_unverified_context"),
}
#: Arguments that make an otherwise harmless function do so, or trust whoever answers: (name, value it must not have).
ARGUMENTS = {
    ("shell", True),
    ("trust_remote_code", True),
    ("allow_pickle", True),
    ("weights_only", False),
    ("use_safetensors", False),
    ("verify", False),
    ("check_hostname", False),
}
#: Functions that are harmless with an argument only: (name's end, argument, value it must have).
NEEDED = {("np.load", "allow_pickle", False), ("numpy.load", "allow_pickle", False)}


def dangers(source: str) -> Iterator[tuple[int, str]]:
    """(line, what) of everything in a module that could run what it reads."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, a.name) for a in names if a.name.partition(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in MODULES:
                yield node.lineno, module
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((node.lineno, f"{module}.{a.name}") for a in names if f"{module}.{a.name}" in CALLS)
            case ast.Attribute(attr="CERT_NONE"):
                yield node.lineno, "CERT_NONE"
            case ast.Call(func=function, keywords=keywords):
                name = ast.unparse(function)
                if name in CALLS:
                    yield node.lineno, name
                given = {k.arg: k.value.value for k in keywords if isinstance(k.value, ast.Constant)}
                yield from ((node.lineno, f"{k}={v}") for k, v in given.items() if (k, v) in ARGUMENTS)
                for needing, argument, value in NEEDED:
                    if name == needing and given.get(argument, ...) is not value:
                        yield node.lineno, f"{name} without {argument}={value}"


def modules() -> list[Path]:
    return [path for layer in ("ml", "db", "workers", "ops", "migrations") for path in (TOP / layer).rglob("*.py")]


def test_nothing_runs_what_it_reads() -> None:
    found = [
        f"{path.relative_to(TOP)}:{line}: {what}"
        for path in modules()
        for line, what in dangers(path.read_text(encoding="utf-8"))
    ]

    assert len(modules()) > 300
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "from torch import load",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "eval(text)",
        "yaml.load(file)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(command, shell=True)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name, use_safetensors=False)",
        "context.verify_mode = ssl.CERT_NONE",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert list(dangers(source)) != []


@pytest.mark.parametrize(
    "source", ["model.eval()", "np.load(path, allow_pickle=False)", "re.compile(text)", "subprocess.run([program])"]
)
def test_the_search_leaves_alone(source: str) -> None:
    assert list(dangers(source)) == []


def test_every_model_is_loaded_from_safetensors() -> None:
    """`from_pretrained` of a model without `use_safetensors=True` would take pickle where there is nothing else."""
    unsafe = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".from_pretrained"):
                name = ast.unparse(node.func)
                no_weights = any(part in name for part in ("Tokenizer", "Config", "FeatureExtractor", "Processor"))
                if not no_weights and not any(k.arg == "use_safetensors" for k in node.keywords):
                    unsafe.append(f"{path.relative_to(TOP)}:{node.lineno}: {name}")
    assert unsafe == []
