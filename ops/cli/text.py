"""Text from elsewhere (paths, transcripts, messages) made fit for a terminal."""

import re

#: Also halves of surrogate pairs: how Python holds bytes of a file name that are not UTF-8.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Text without characters that would steer a terminal or break a line."""
    return _CONTROL.sub(lambda found: _SHOWN.get(found[0], f"\\x{ord(found[0]) & 0xFF:02x}"), text)
