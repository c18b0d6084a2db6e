#!/bin/sh
# Find a Python that Tenor runs on and hand over to bootstrap.py. Plain sh: the machine is fresh.
set -eu
for candidate in "${PYTHON:-}" python3.11 python3.12 python3 python \
    "$HOME"/.pyenv/versions/3.11.*/bin/python "$HOME"/.pyenv/versions/3.12.*/bin/python; do
    [ -n "$candidate" ] || continue
    command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null; then
        exec "$candidate" ops/setup/bootstrap.py
    fi
done
echo "Tenor needs Python 3.11 or 3.12, and neither was found. Install one (on Debian or Ubuntu: apt install python3.11" >&2
echo "python3.11-venv) or name it: make setup PYTHON=/path/to/python3.11" >&2
exit 1
