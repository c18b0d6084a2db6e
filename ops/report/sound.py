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

_FILE = text("""
SELECT a.url, a.packed_sha256, a.packed_bytes, a.packed_mtime_ns, f.path, f.size_bytes, f.mtime_ns, r.sha256
  FROM archive_files f
  JOIN archives a ON a.id = f.archive_id
  JOIN recordings r ON r.id = :recording
 WHERE f.id = :file
""")


def waveform(
    conn: Connection, settings: Settings, target: Target, step_s: float, columns: int
) -> tuple[Peaks | None, str]:
    """Peaks [2, columns], or None and the reason; memory does not grow with the recording."""
    row = conn.execute(_FILE, {"recording": target.recording_id, "file": target.file_id}).one()
    try:
        root = roots.finder(settings)(row)
        with root.here(row.path):
            audio = located(root.folder, row.path)
            check_unchanged(audio, row.size_bytes, row.mtime_ns, row.sha256)
            return peaks_of(stream(audio), step_s, columns), ""
    except TenorError as exc:
        return None, str(exc)
    except OSError as exc:
        return None, f"the file cannot be read: {exc.strerror or type(exc).__name__}"
