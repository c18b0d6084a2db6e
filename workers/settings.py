"""Every setting of Tenor in one place, read from `TENOR_*` variables and a TOML file, validated at start.

Precedence: environment variable, then a secret's file (in the folder `TENOR_SECRETS_DIR`, named as the variable in
small letters: `tenor_database_url`), then the TOML file (`TENOR_CONFIG`, else `tenor.toml` in `TENOR_HOME`), then the
default. An empty variable counts as unset.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from workers.errors import SettingsInvalid

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def default_home() -> Path:
    """Where embedded services and artifacts live when TENOR_HOME is not set."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/tenor")
    data = os.environ.get("XDG_DATA_HOME")
    return Path(data) / "tenor" if data else Path.home() / ".local" / "share" / "tenor"


def settings_file(environ: Mapping[str, str] | None = None) -> Path:
    """The TOML file that settings are read from, whether or not it exists."""
    environ = os.environ if environ is None else environ
    if named := environ.get("TENOR_CONFIG"):
        return Path(named)
    home = environ.get("TENOR_HOME")
    return (Path(home) if home else default_home()) / "tenor.toml"


class Settings(BaseSettings):
    """All settings; the variable of a field is `TENOR_` followed by its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="TENOR_", env_ignore_empty=True, extra="forbid", frozen=True)

    #: Folder for embedded services, artifacts, logs and generated passwords.
    home: Path = Field(default_factory=default_home)
    #: Postgres for workers (`postgresql+psycopg2://…`); None: the embedded one.
    database_url: str | None = None
    #: Postgres login that owns the schema (migrations); None: the same as `database_url`.
    owner_url: str | None = None
    #: Postgres login of the read-only analyst role; None: the same as `database_url`.
    analyst_url: str | None = None
    #: Redis (`redis://…`); None: the embedded one.
    broker_url: str | None = None
    #: Where people reach a Flower that was not started here (`https://…`), for links; None: the embedded one.
    flower_url: str | None = None
    #: fsspec URL of the folder for objects between stages; None: `artifacts` under `home`.
    artifacts_url: str | None = None
    #: Folder that zip and tar files are unpacked to, the same for all workers; None: `unpacked` under `home`.
    unpacked_dir: Path | None = None
    #: What may be enqueued: folders and `s3://bucket/prefix`, with commas between. None: every folder that workers can
    #: read, and nothing in an object store.
    allowed_roots: str | None = None
    #: Folder for objects of `s3://` while they are read, on this machine's disk; None: `scratch` under `home`.
    scratch_dir: Path | None = None
    #: What that folder may hold, at most, in GB, besides what is being read.
    scratch_gb: Count = 20
    #: Folder of models trained here, which profiles name as `trained:…`; None: `models` under `home`.
    models_dir: Path | None = None
    #: Folder that holds labelled corpora by name, for `tenor train --corpus NAME`; None: each is named with its path.
    data_dir: Path | None = None
    #: What one zip or tar file may unpack to, at most, in GB.
    unpack_gb: Count = 200
    #: An unpacked archive that nobody reads for so many days, and that no live job is about, is removed.
    unpacked_days: Annotated[float, Field(ge=0)] = 7.0
    #: Profile that jobs use unless they name another: a bundled name or a path to a TOML file.
    profile: str = "mini"
    #: Where models run: "auto" takes a CUDA device when there is one.
    device: Literal["auto", "cpu", "cuda"] = "auto"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    #: Lines of workers' logs: "text" for people, "json" for machines.
    log_format: Literal["text", "json"] = "text"
    #: Where `tenor metrics` serves what Prometheus reads. There is no password: others than this machine see it only
    #: where the host says so.
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=1, le=65535)] = 9747

    #: A claimed stage belongs to its worker for so long; renewed at a third of it.
    lease_s: Seconds = 90.0
    #: How often the sweeper looks for lost work.
    sweep_s: Seconds = 15.0
    #: A ready stage whose message was sent this long ago and that nobody claimed is sent again.
    resend_s: Seconds = 120.0
    #: A stage is halved or dead after this many attempts that the world around it does not explain.
    max_tries: Count = 3
    #: How long a worker keeps a result when Postgres is away, before the stage is done again.
    patience_s: Seconds = 120.0
    #: How long a worker that is told to stop lets its stages run on before it gives them back.
    grace_s: Seconds = 30.0
    #: An idle worker that leaves messages waiting for so long is deaf and is started anew.
    deaf_s: Seconds = 30.0
    #: Groups of recordings that align workers have in hand or in their queue at any time: a few per process.
    open_groups: Count = 32
    #: Batches between extract and fuse at any time; bounds the artifact store.
    open_batches: Count = 8
    #: Speech in one batch, at most (a single longer utterance still makes one).
    batch_s: Seconds = 600.0
    #: Audio that one align task takes, at most (a longer recording stands alone).
    group_s: Seconds = 600.0
    #: Recordings that one align task takes, at most.
    group_files: Count = 200
    #: Longest permitted stage; also bounds Redis' visibility timeout.
    stage_limit_s: Seconds = 7200.0
    #: Memory that one align or ingest process may take for data, in MB; 0: three quarters of the machine's.
    memory_mb: Annotated[int, Field(ge=0)] = 0
    #: How often it is looked whether a profile is due for retraining.
    retrain_tick_s: Seconds = 60.0
    #: Longest permitted stage of a retraining run. It may exceed Redis' visibility timeout: see `retraining/runs.py`.
    retrain_limit_s: Seconds = 86_400.0
    #: Where retraining computes. A GPU is analysis' unless this says otherwise.
    retrain_device: Literal["auto", "cpu", "cuda"] = "cpu"
    #: How far retraining steps back for everything else on the processor (0 to 19, as `nice` has it).
    retrain_nice: Annotated[int, Field(ge=0, le=19)] = 10
    #: How often recent output is compared with a version's reference, and how far back it reaches.
    drift_s: Seconds = 3600.0
    drift_days: Seconds = 7.0
    #: torch threads per worker process; 0: half of the cores, at least one.
    threads: Annotated[int, Field(ge=0)] = 0
    #: File that workers and beat touch every few seconds while they hear Redis, for health checks; None: no file.
    pulse_file: Path | None = None

    @field_validator("home", "unpacked_dir", "scratch_dir", "models_dir", "data_dir", "pulse_file")
    @classmethod
    def _absolute(cls, folder: Path | None) -> Path | None:
        return None if folder is None else folder.expanduser().absolute()

    @field_validator("database_url", "owner_url", "analyst_url")
    @classmethod
    def _postgres(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        scheme = parts.scheme
        if scheme not in {"postgresql", "postgres", "postgresql+psycopg2"}:
            raise ValueError("it must start with postgresql:// (Tenor keeps its truth in Postgres)")
        # Postgres would take the login's name for it, which is hardly ever meant.
        if not parts.path.strip("/") and "dbname=" not in parts.query:
            raise ValueError("it names no database, as in postgresql://login:password@host:5432/database")
        # A bare postgresql:// would select psycopg 3 in SQLAlchemy 2.1.
        return "postgresql+psycopg2" + url[len(scheme) :]

    @field_validator("broker_url")
    @classmethod
    def _redis(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in {"redis", "rediss"}:
            raise ValueError("it must start with redis:// or rediss://")
        if url is not None and any(
            name in {"ssl_cert_reqs", "ssl_check_hostname"} and value.lower() not in {"required", "true"}
            for name, value in parse_qsl(urlsplit(url).query)
        ):
            raise ValueError("it may not say that certificates are not looked at; name their CA with ssl_ca_certs")
        return url

    @field_validator("flower_url")
    @classmethod
    def _web(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("it must start with http:// or https://")
        return url

    @model_validator(mode="after")
    def _lease_outlives_renewal(self) -> "Settings":
        if self.sweep_s > self.lease_s:
            raise ValueError("sweep_s must not exceed lease_s, or expired leases wait for several leases")
        return self

    @property
    def artifacts(self) -> str:
        """fsspec URL of the artifact store, without a trailing slash."""
        return (self.artifacts_url or f"file://{self.home / 'artifacts'}").rstrip("/")

    @property
    def unpacked(self) -> Path:
        """The folder that zip and tar files are unpacked to."""
        return self.unpacked_dir or self.home / "unpacked"

    @property
    def scratch(self) -> Path:
        """The folder for objects while they are read."""
        return self.scratch_dir or self.home / "scratch"

    @property
    def roots(self) -> tuple[str, ...] | None:
        """Folders and URLs that archives may lie in; None: all folders."""
        if self.allowed_roots is None:
            return None
        return tuple(
            root for part in self.allowed_roots.split(",") if (root := part.strip().rstrip("/") or part.strip())
        )

    @property
    def models(self) -> Path:
        """The folder of the models trained here."""
        return self.models_dir or self.home / "models"

    @property
    def torch_threads(self) -> int:
        """Threads that one worker process gives to torch."""
        return self.threads or max(1, (os.cpu_count() or 2) // 2)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = TomlConfigSettingsSource(settings_cls, toml_file=settings_file())
        if folder := os.environ.get("TENOR_SECRETS_DIR"):
            return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=folder), file
        return init_settings, env_settings, file


def load_settings(**overrides: object) -> Settings:
    """Read and validate the settings.

    Raises `SettingsInvalid` with every mistake in one sentence each, without values, since URLs hold passwords.
    """
    known = {f"TENOR_{name.upper()}" for name in Settings.model_fields} | {"TENOR_CONFIG", "TENOR_SECRETS_DIR"}
    unknown = sorted(name for name in os.environ if name.startswith("TENOR_") and name not in known)
    if unknown:
        raise SettingsInvalid(f"unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    if (named := os.environ.get("TENOR_CONFIG")) and not Path(named).is_file():
        raise SettingsInvalid("TENOR_CONFIG names a file that does not exist")
    if (named := os.environ.get("TENOR_SECRETS_DIR")) and not Path(named).is_dir():
        raise SettingsInvalid("TENOR_SECRETS_DIR names a folder that does not exist")
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as exc:
        mistakes = []
        for error in exc.errors(include_input=False, include_url=False):
            said = error["msg"].removeprefix("Value error, ")
            mistakes.append(f"{_written(str(error['loc'][0]))}: {said}" if error["loc"] else said)
        raise SettingsInvalid("; ".join(mistakes)) from None
    except OSError as exc:
        raise SettingsInvalid(
            f"{exc.filename or settings_file()} cannot be read: {exc.strerror}",
            hint="Check that path's owner, or set TENOR_HOME to a folder that you may read and write.",
        ) from exc
    except ValueError as exc:
        raise SettingsInvalid(f"{settings_file()} cannot be read as TOML: {exc}") from exc


def _written(name: str) -> str:
    """Where a setting was written: the variable, else the secret, else the file."""
    variable = f"TENOR_{name.upper()}"
    if os.environ.get(variable):
        return variable
    secrets = os.environ.get("TENOR_SECRETS_DIR")
    if secrets and (Path(secrets) / variable.lower()).is_file():
        return f"the secret {variable.lower()}"
    return f"{name} in {settings_file()}"
