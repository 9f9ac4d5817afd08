"""Settings: read once, all that is wrong named at once, secrets from files, and none of them shown."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from plugin_backend.core.config import Config, ConfigError, load
from plugin_backend.core.seal import Choice, roots

GOOD = {
    "DATABASE_URL": "postgresql://reprise:pw-1@localhost/reprise",
    "REDIS_URL": "redis://:pw-2@localhost/0",
    "REPRISE_URL": "https://reprise.test",
    "REPRISE_KEYS": "/var/lib/reprise/keys",
    "MAIL_URL": "smtp://me:pw-3@localhost:25",
}


def refused(**changes: str | None) -> str:
    given = {name: value for name, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(ConfigError) as caught:
        load(given)
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_the_least_that_is_needed_is_enough() -> None:
    config = load(GOOD)
    assert config.database_url == config.database_owner_url == GOOD["DATABASE_URL"]
    assert config.keys == Path(GOOD["REPRISE_KEYS"])
    assert (config.sandbox_url, config.clock_grain, config.log_level) == ("", 10.0, "INFO")
    assert config.trusted_proxies == ()


def test_nothing_given_names_everything_that_is_missing() -> None:
    with pytest.raises(ConfigError) as caught:
        load({})
    for name in GOOD:
        assert name in str(caught.value)
    assert "DATABASE_OWNER_URL" not in str(caught.value)


def test_every_bad_setting_is_named_at_once_and_no_value_is_repeated() -> None:
    bad = {
        "DATABASE_URL": "mysql://u:secret-a@localhost/x",
        "DATABASE_OWNER_URL": "secret-b",
        "REDIS_URL": "http://u:secret-c@localhost",
        "REPRISE_URL": "reprise.test",
        "REPRISE_KEYS": None,
        "MAIL_URL": "mail://u:secret-d@localhost",
        "REPRISE_SANDBOX_URL": "ftp://localhost",
        "REPRISE_CLOCK_GRAIN": "soon",
        "REPRISE_LOG_LEVEL": "LOUD",
        "REPRISE_TRUSTED_PROXIES": "10.0.0.0/8,somewhere",
        "MAIL_FROM": "x",
    }
    said = refused(**bad)
    for name in bad:
        assert name in said
    assert "secret-" not in said


@pytest.mark.parametrize("grain", ["0", "0.01", "61", "-1", "nan", "inf", ""])
def test_a_clock_that_would_race_or_sleep_is_refused(grain: str) -> None:
    assert "REPRISE_CLOCK_GRAIN" in refused(REPRISE_CLOCK_GRAIN=grain)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_an_empty_setting_is_no_setting(name: str) -> None:
    if name != "REPRISE_KEYS":
        assert name in refused(**{name: ""})


def test_a_value_can_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "database_url"
    file.write_text(GOOD["DATABASE_URL"] + "\n", encoding="utf-8")
    given = {name: value for name, value in GOOD.items() if name != "DATABASE_URL"}
    assert load({**given, "DATABASE_URL_FILE": str(file)}).database_url == GOOD["DATABASE_URL"]


def test_a_file_wins_over_a_value_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "mail_url"
    file.write_text("smtps://other@localhost:465", encoding="utf-8")
    assert load({**GOOD, "MAIL_URL_FILE": str(file)}).mail_url == "smtps://other@localhost:465"


def test_every_file_that_cannot_be_read_is_named_beside_everything_else(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    said = refused(
        DATABASE_URL_FILE=str(tmp_path / "nowhere"),
        REDIS_URL_FILE=str(tmp_path),
        MAIL_URL_FILE=str(binary),
        REPRISE_URL=None,
    )
    for name in ("DATABASE_URL_FILE", "REDIS_URL_FILE", "MAIL_URL_FILE", "REPRISE_URL"):
        assert name in said


def test_settings_with_passwords_are_not_shown() -> None:
    shown = repr(load(GOOD))
    assert "pw-" not in shown
    assert "https://reprise.test" in shown


def test_settings_cannot_be_changed_afterwards() -> None:
    config = load(GOOD)
    assert isinstance(config, Config)
    with pytest.raises(FrozenInstanceError):
        config.base_url = "https://elsewhere.test"  # type: ignore[misc]


def test_proxies_are_addresses_or_networks() -> None:
    config = load({**GOOD, "REPRISE_TRUSTED_PROXIES": "10.0.0.0/8,2001:db8::/32,127.0.0.1"})
    assert config.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32", "127.0.0.1")


def test_root_keys_are_in_a_file_unless_it_is_said_where_else() -> None:
    assert load(GOOD, root=True).root == load(GOOD).root == Choice()
    assert load({**GOOD, "REPRISE_ROOT": "file"}, root=True).root.kinds == ("file",)


def test_what_a_kind_of_root_keys_needs_is_read_and_not_shown(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("4711-pin\n")
    given = {
        "REPRISE_ROOT": "env, pkcs11",
        "REPRISE_ROOT_KEY": "k-1",
        "REPRISE_PKCS11_MODULE": "/usr/lib/token.so",
        "REPRISE_PKCS11_TOKEN": "reprise",
        "REPRISE_PKCS11_PIN_FILE": str(pin),
        "REPRISE_PKCS11_KEY": "root",
    }
    config = load({**GOOD, **given}, root=True)
    assert config.root.kinds == ("env", "pkcs11")
    assert (config.root.settings["REPRISE_PKCS11_PIN"], config.root.settings["REPRISE_ROOT_KEY"]) == (
        "4711-pin",
        "k-1",
    )
    assert "4711-pin" not in repr(config)
    assert "k-1" not in repr(config)
    assert load({**GOOD, **given}).root == Choice()


def test_all_that_root_keys_need_is_named_with_everything_else_that_is_missing() -> None:
    for kinds, wanted in (("env", ["env"]), ("env,pkcs11", ["env", "pkcs11"])):
        with pytest.raises(ConfigError) as caught:
            load({"REPRISE_ROOT": kinds, "REPRISE_ROOT_KEY": ""}, root=True)
        for name in (*GOOD, *(name for kind in wanted for name in roots.KINDS[kind].needs)):
            assert name in str(caught.value)


@pytest.mark.parametrize("kinds", ["", "hsm", "file,", "file;env", "FILE"])
def test_root_keys_in_a_place_that_nobody_knows_are_refused(kinds: str) -> None:
    with pytest.raises(ConfigError, match="REPRISE_ROOT: must be one of file, env, pkcs11"):
        load({**GOOD, "REPRISE_ROOT": kinds}, root=True)
