"""The waveform of a recording, from the file in its archive; or why there is none."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from ml.audio.decode import stream
from ml.errors import TenorError
from ops.drawing.sound import peaks_of
from ops.report.finding import Target
from workers.archives import roots
from workers.archives.files import check_unchanged, located
from workers.settings import Settings

Peaks = NDArray[np.float32]

#: The same content may lie at other paths, too, where the one that is shown is gone.
_FILES = text("""
SELECT a.url, a.packed_sha256, a.packed_bytes, a.packed_mtime_ns, f.path, f.size_bytes, f.mtime_ns, r.sha256
  FROM archive_files f
  JOIN archives a ON a.id = f.archive_id
  JOIN recordings r ON r.id = f.recording_id
 WHERE f.recording_id = :recording
 ORDER BY f.id <> :file, f.id DESC LIMIT 10
""")


def waveform(
    conn: Connection, settings: Settings, target: Target, step_s: float, columns: int
) -> tuple[Peaks | None, str]:
    """Peaks [2, columns], or None and the reason; memory does not grow with the recording."""
    reasons = []
    root = roots.finder(settings)
    for row in conn.execute(_FILES, {"recording": target.recording_id, "file": target.file_id}).all():
        try:
            with root(row).here(row.path):
                audio = located(root(row).folder, row.path)
                check_unchanged(audio, row.size_bytes, row.mtime_ns, row.sha256)
                return peaks_of(stream(audio), step_s, columns), ""
        except TenorError as exc:
            reasons.append(str(exc))
        except OSError as exc:
            reasons.append(f"the file cannot be read: {exc.strerror or type(exc).__name__}")
    return None, reasons[0] if reasons else "the archive holds another recording under this name now"
