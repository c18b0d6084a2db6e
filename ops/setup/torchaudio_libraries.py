"""Make `import torchaudio` work beside a torch without CUDA; does nothing where it works already.

torchaudio's wheel is a CUDA build. Beside a CPU-only torch its native libraries cannot be loaded, and then neither can
any model of transformers, which imports torchaudio when it is there. With these libraries set aside it works, except
for `forced_align` and a fast `lfilter`, which Tenor does not use.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path


def imports() -> bool:
    """True when torchaudio can be imported, tried in a process of its own."""
    return subprocess.run([sys.executable, "-c", "import torchaudio"], capture_output=True).returncode == 0


def main() -> int:
    """Exit status 0 when torchaudio imports in the end."""
    if imports():
        return 0
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.origin is None:
        print("torchaudio is not installed", file=sys.stderr)
        return 1
    libraries = Path(spec.origin).parent / "lib"
    aside = libraries / "set-aside"
    aside.mkdir(exist_ok=True)
    for library in libraries.glob("*.so"):
        library.rename(aside / library.name)
    print("   set torchaudio's CUDA libraries aside: this torch has no CUDA")
    if not imports():
        print("torchaudio still cannot be imported; remove .venv and run `make setup` again", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
