"""Sealing: it opens with our key, for exactly its place, unchanged; and never otherwise."""

import base64
import itertools
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.core.seal import Keys, SealError, hash_key, load_keys, make_keys, masked

KEYS = Keys(door=bytes(range(32)), root=bytes(range(32, 64)))
PLACE = ("shop_1", "cus_1", "gwa_1", "pm_1", "token")
SECRET = b"tok_very_secret"
SEALED = KEYS.seal("vault", SECRET, *PLACE)


def test_what_was_sealed_opens_for_its_place() -> None:
    assert KEYS.open("vault", SEALED, *PLACE) == SECRET
    assert SECRET not in SEALED


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert len({KEYS.seal("vault", SECRET, *PLACE) for _ in range(100)}) == 100


@pytest.mark.parametrize("part", range(len(PLACE)))
@pytest.mark.parametrize("other", ["", "shop_2", "SHOP_1", "token\0"])
def test_no_part_of_its_place_can_be_another(part: int, other: str) -> None:
    place = [*PLACE]
    place[part] = other
    with pytest.raises(SealError):
        KEYS.open("vault", SEALED, *place)


def test_no_two_parts_of_its_place_can_change_their_seats() -> None:
    for one, two in itertools.combinations(range(len(PLACE)), 2):
        place = [*PLACE]
        place[one], place[two] = place[two], place[one]
        with pytest.raises(SealError):
            KEYS.open("vault", SEALED, *place)


@pytest.mark.parametrize("place", [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ()])
def test_places_that_read_alike_are_not_alike(place: tuple[str, ...]) -> None:
    sealed = KEYS.seal("vault", SECRET, *place)
    for other in {("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"), ()} - {place}:
        with pytest.raises(SealError):
            KEYS.open("vault", sealed, *other)


@given(st.integers(0, len(SEALED) * 8 - 1))
def test_one_flipped_bit_anywhere_is_refused(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        KEYS.open("vault", bytes(changed), *PLACE)


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_whatever_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(SealError):
        KEYS.open("vault", SEALED[:length], *PLACE)


def test_what_we_did_not_seal_is_refused() -> None:
    for other in (b"", b"RS1", b"RS2" + SEALED[3:], SEALED + b"\0", SECRET, b"\0" * 60):
        with pytest.raises(SealError):
            KEYS.open("vault", other, *PLACE)


def test_the_keys_of_a_web_process_open_no_token_and_seal_none() -> None:
    web = Keys(door=KEYS.door)
    with pytest.raises(SealError, match="does not hold"):
        web.open("vault", SEALED, *PLACE)
    with pytest.raises(SealError, match="does not hold"):
        web.seal("vault", SECRET, *PLACE)
    with pytest.raises(SealError):
        web.open("door", SEALED, *PLACE)
    assert web.open("door", KEYS.seal("door", b"x", "shop_1"), "shop_1") == b"x"


def test_a_seal_for_one_purpose_does_not_open_for_another_even_under_one_key() -> None:
    same = Keys(door=KEYS.door, root=KEYS.door)
    with pytest.raises(SealError):
        same.open("door", same.seal("vault", SECRET, *PLACE), *PLACE)


def test_another_installations_keys_open_nothing() -> None:
    other = Keys(door=os.urandom(32), root=os.urandom(32))
    with pytest.raises(SealError):
        other.open("vault", SEALED, *PLACE)


def test_a_link_is_the_same_for_its_place_and_no_other() -> None:
    link = KEYS.link("offer", "shop_1", "off_1")
    assert link == Keys(door=KEYS.door).link("offer", "shop_1", "off_1")
    assert len(link) == 32
    assert set(link) <= set("abcdefghijklmnopqrstuvwxyz234567")
    others = {
        KEYS.link("plan", "shop_1", "off_1"),
        KEYS.link("offer", "shop_2", "off_1"),
        KEYS.link("offer", "shop_1", "off_2"),
        KEYS.link("offer", "shop_1off", "_1"),
        KEYS.link("offer", "off_1", "shop_1"),
        Keys(door=os.urandom(32)).link("offer", "shop_1", "off_1"),
    }
    assert len(others | {link}) == 7
    assert hash_key(link) not in (link, hash_key(link.upper()))


def test_keys_are_never_shown() -> None:
    assert "x00" not in repr(KEYS)
    assert repr(KEYS) == repr(Keys(door=os.urandom(32)))


def test_key_files_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    make_keys(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    make_keys(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert set(before) == {"door.key", "root.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert before["door.key"] != before["root.key"]


def test_a_web_process_does_not_even_read_the_root_key(tmp_path: Path) -> None:
    make_keys(tmp_path)
    (tmp_path / "root.key").unlink()
    assert load_keys(tmp_path, root=False).root is None
    with pytest.raises(SealError, match=r"root\.key is missing or damaged"):
        load_keys(tmp_path, root=True)


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o606, 0o660, 0o644, 0o601, 0o777])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    make_keys(tmp_path)
    (tmp_path / "door.key").chmod(mode)
    with pytest.raises(SealError, match=r"door\.key may be read by others: chmod 600"):
        load_keys(tmp_path, root=False)


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\xff\xfe", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), b"A" * 43 + b"!"],
)
def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    make_keys(tmp_path)
    (tmp_path / "door.key").write_bytes(content)
    with pytest.raises(SealError) as caught:
        load_keys(tmp_path, root=False)
    assert str(caught.value) == "door.key is missing or damaged in REPRISE_KEYS"


def test_settings_are_shown_without_their_secrets() -> None:
    shown = masked({"url": "https://a.test", "secret": "s3", "old": ""}, {"secret", "old"})
    assert shown == {"url": "https://a.test", "secret": "••••", "old": ""}
