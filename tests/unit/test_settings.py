"""Settings: where they come from, and what a mistake in them says."""

import re
from pathlib import Path

import pytest

from workers.errors import SettingsInvalid
from workers.settings import default_home, load_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENOR_HOME", str(tmp_path))
    return tmp_path


def test_a_variable_goes_before_the_file_and_the_file_before_the_default(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "tenor.toml").write_text('batch_s = 30\nprofile = "other"\n')
    monkeypatch.setenv("TENOR_PROFILE", "mine")

    settings = load_settings()

    assert (settings.batch_s, settings.profile, settings.open_batches) == (30, "mine", 8)


def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENOR_BATCHES", "3")
    with pytest.raises(SettingsInvalid, match="TENOR_BATCHES"):
        load_settings()


def test_every_mistake_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENOR_DATABASE_URL", "mysql://root:hunter2@db/x")
    monkeypatch.setenv("TENOR_LEASE_S", "-1")
    with pytest.raises(SettingsInvalid) as mistake:
        load_settings()
    assert "TENOR_DATABASE_URL" in str(mistake.value) and "TENOR_LEASE_S" in str(mistake.value)
    assert "hunter2" not in str(mistake.value)


def test_a_mistake_in_the_file_is_named_with_the_file(home: Path) -> None:
    (home / "tenor.toml").write_text("lease_s = -1\n")
    with pytest.raises(SettingsInvalid, match=re.escape(f"lease_s in {home / 'tenor.toml'}: ")):
        load_settings()


def test_an_empty_variable_counts_as_unset(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tenor.toml").write_text("batch_s = 30\n")
    for name in ("TENOR_DATABASE_URL", "TENOR_BATCH_S", "TENOR_CONFIG", "TENOR_UNPACKED_DIR"):
        monkeypatch.setenv(name, "")

    settings = load_settings()

    assert (settings.database_url, settings.batch_s, settings.unpacked) == (None, 30, home / "unpacked")

    monkeypatch.setenv("TENOR_HOME", "")
    assert load_settings().home == default_home()


@pytest.mark.parametrize("url", ["postgres://x", "postgresql://u:hunter2@db:5432/"])
def test_a_database_url_without_a_database_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENOR_DATABASE_URL", url)
    with pytest.raises(SettingsInvalid, match="TENOR_DATABASE_URL: it names no database") as mistake:
        load_settings()
    assert "hunter2" not in str(mistake.value)


def test_a_broken_file_and_a_missing_named_file_are_sentences(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tenor.toml").write_text("batch_s = [")
    with pytest.raises(SettingsInvalid, match="TOML"):
        load_settings()
    monkeypatch.setenv("TENOR_CONFIG", str(home / "nowhere.toml"))
    with pytest.raises(SettingsInvalid, match="does not exist"):
        load_settings()


def test_a_plain_postgres_url_gets_the_driver_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENOR_DATABASE_URL", "postgresql://u:p@h/d")
    assert load_settings().database_url == "postgresql+psycopg2://u:p@h/d"


def test_a_sweeper_slower_than_leases_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENOR_SWEEP_S", "200")
    with pytest.raises(SettingsInvalid, match="sweep_s"):
        load_settings()


def test_a_secret_goes_after_the_variable_and_before_the_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "tenor.toml").write_text('profile = "file"\ndatabase_url = "postgresql://file@db/x"\n')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "tenor_database_url").write_text("postgresql://secret@db/x\n")
    (secrets / "tenor_profile").write_text("secret")
    (secrets / "redis_password").write_text("somebody else's")
    monkeypatch.setenv("TENOR_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("TENOR_PROFILE", "variable")

    settings = load_settings()

    assert settings.profile == "variable"
    assert settings.database_url == "postgresql+psycopg2://secret@db/x"


def test_a_mistake_in_a_secret_is_named_without_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tenor_broker_url").write_text("http://:hunter2@redis")
    monkeypatch.setenv("TENOR_SECRETS_DIR", str(tmp_path))
    with pytest.raises(SettingsInvalid, match="the secret tenor_broker_url: it must start with redis") as mistake:
        load_settings()
    assert "hunter2" not in str(mistake.value)

    monkeypatch.setenv("TENOR_SECRETS_DIR", str(tmp_path / "none"))
    with pytest.raises(SettingsInvalid, match="TENOR_SECRETS_DIR"):
        load_settings()
