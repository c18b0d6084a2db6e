"""What can go wrong with embedded services."""

from ml.errors import TenorError


class ServiceFailed(TenorError):
    """A server or worker process did not start or stay up."""

    code = "service_failed"
    hint = "`tenor doctor` shows what runs; the logs are in the folder `logs` under TENOR_HOME."


class HomeUnusable(TenorError):
    """TENOR_HOME cannot be written."""

    code = "home_unusable"
    hint = "Set TENOR_HOME to a folder that you may write and that has space."
