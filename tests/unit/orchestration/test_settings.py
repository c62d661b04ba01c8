"""Settings: what is read, what is refused, and that no secret shows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orchestration.reference import variables_markdown
from orchestration.settings import SettingsError, load_settings, variables


def test_an_empty_environment_is_the_sandbox_with_every_source_off_but_the_price_package() -> None:
    settings = load_settings({})
    assert settings.profile == "sandbox"
    assert [a.source for a in settings.accounts if a.is_on()] == ["prices"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AISL_PROFILE", "staging"),
        ("AISL_AS_OF", "yesterday"),
        ("AISL_START_DATE", "2026-13-01"),
        ("AISL_SNAPSHOTS_TO_KEEP", "0"),
        ("AISL_ACCOUNTS_FILE", "no-such-file.toml"),
    ],
)
def test_a_wrong_value_is_refused_and_the_message_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: value})


def test_the_clock_is_read_in_utc_and_the_last_complete_day_is_the_day_before() -> None:
    settings = load_settings({"AISL_AS_OF": "2026-10-20T01:30:00+02:00"})
    assert settings.as_of == datetime(2026, 10, 19, 23, 30, tzinfo=UTC)
    assert settings.last_complete_day == date(2026, 10, 18)


def test_the_samples_profile_reads_dropped_files_only_and_has_a_home_of_its_own() -> None:
    settings = load_settings({"AISL_PROFILE": "samples", "AISL_ANTHROPIC_ADMIN_KEY": "x"})
    assert [a.source for a in settings.accounts if a.is_on()] == ["files", "prices"]
    assert settings.home.parts[-2:] == ("profiles", "samples")


def test_several_accounts_come_from_a_file_that_names_variables(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(
        '[[account]]\nsource = "anthropic"\nname = "a"\nsecrets = { ADMIN_KEY = "KEY_A" }\n'
        '[[account]]\nsource = "anthropic"\nname = "b"\nsecrets = { ADMIN_KEY = "KEY_B" }\n'
    )
    settings = load_settings({"AISL_ACCOUNTS_FILE": str(file), "KEY_A": "secret-a"})
    a, b = settings.accounts_by_source["anthropic"]
    assert (a.account, a.is_on(), a.secret("ADMIN_KEY")) == ("a", True, "secret-a")
    assert (b.account, b.is_on()) == ("b", False)


def test_a_secret_written_into_the_accounts_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text('[[account]]\nsource = "openai"\nname = "a"\nsecrets = { ADMIN_KEY = "sk-admin-123" }\n')
    with pytest.raises(SettingsError, match="never values"):
        load_settings({"AISL_ACCOUNTS_FILE": str(file)})


def test_no_secret_shows_in_the_text_of_settings() -> None:
    settings = load_settings({"AISL_OPENAI_ADMIN_KEY": "very-secret", "AISL_LAKE_SECRET_ACCESS_KEY": "also-secret"})
    assert set(settings.secret_values) == {"very-secret", "also-secret"}
    assert "secret" not in repr(settings).replace("secret_access_key", "")


def test_every_variable_has_one_row_in_the_table() -> None:
    names = [v.name for v in variables()]
    assert len(names) == len(set(names))
    assert variables_markdown().count("\n") == len(names) + 1
