"""The licences of a profile's models, said once per TENOR_HOME."""

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ops.local.home import make_private
from ops.progress import say

if TYPE_CHECKING:
    from ml.profiles import Profile

#: Notices that were shown, by hash, in TENOR_HOME.
SHOWN = "licences-shown.json"


def announce(profile: "Profile", home: Path, console: Console) -> None:
    """Print the licence notices of a profile's bundles that this TENOR_HOME has not shown yet."""
    lines = [f"Model {it.bundle}, licence {it.licence}: {it.notice}" for it in profile.licences()]
    notices = {hashlib.sha256(line.encode()).hexdigest(): line for line in lines}
    record = home / SHOWN
    try:
        shown = set(json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        shown = set()
    fresh = [notice for key, notice in notices.items() if key not in shown]
    if not fresh:
        return
    for notice in fresh:
        say(console, notice)
    partial = record.with_suffix(f".{os.getpid()}")
    try:
        make_private(home)
        partial.write_text(json.dumps(sorted(shown | notices.keys())))
        partial.replace(record)
    except OSError:
        return  # They are said again next time; whoever needs the home says what is wrong with it.
