"""Sealing: it opens with our key, for exactly its place, unchanged; and never otherwise."""

import base64
import itertools
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.core.seal import (
    Choice,
    Key,
    Keys,
    Place,
    SealError,
    hash_key,
    load_keys,
    make_keys,
    masked,
    records,
)

DOOR = bytes(range(32))
KEY = Key(bytes(range(16)), 1, bytes(range(32, 64)))
PLACE = Place("shop_1", "cus_1", "pm_1", "token", "gwa_1")
SECRET = b"tok_very_secret"
SEALED = records.seal(KEY, PLACE, SECRET)


def opened(record: bytes, place: Place = PLACE, key: Key = KEY) -> bytes:
    return bytes(records.open_with(key, place, record))


def test_what_was_sealed_opens_for_its_place() -> None:
    assert opened(SEALED) == SECRET
    assert SECRET not in SEALED
    assert len(SEALED) == len(SECRET) + records.OVERHEAD == len(SECRET) + 116
    assert records.head_of(SEALED) == (KEY.id, KEY.version)


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert len({records.seal(KEY, PLACE, SECRET) for _ in range(100)}) == 100


@pytest.mark.parametrize("part", PLACE._fields)
@pytest.mark.parametrize("other", ["", "shop_2", "SHOP_1", "token\0"])
def test_no_part_of_its_place_can_be_another(part: str, other: str) -> None:
    with pytest.raises(SealError):
        opened(SEALED, PLACE._replace(**{part: other}))


def test_no_two_parts_of_its_place_can_change_their_seats() -> None:
    for one, two in itertools.combinations(range(len(PLACE)), 2):
        place = [*PLACE]
        place[one], place[two] = place[two], place[one]
        with pytest.raises(SealError):
            opened(SEALED, Place(*place))


ALIKE = {Place("ab", "c"), Place("a", "bc"), Place("abc"), Place("", "abc"), Place("")}


@pytest.mark.parametrize("place", sorted(ALIKE))
def test_places_that_read_alike_are_not_alike(place: Place) -> None:
    sealed = records.seal(KEY, place, SECRET)
    for other in ALIKE - {place}:
        with pytest.raises(SealError):
            opened(sealed, other)


@given(st.integers(0, len(SEALED) * 8 - 1))
def test_one_flipped_bit_anywhere_is_refused(bit: int) -> None:
    changed = bytearray(SEALED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        opened(bytes(changed))


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_whatever_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(SealError):
        opened(SEALED[:length])


def test_what_we_did_not_seal_is_refused() -> None:
    for other in (b"", b"CV", b"CX" + SEALED[2:], SEALED + b"\0", SECRET, b"\0" * 160):
        with pytest.raises(SealError):
            opened(other)


def test_another_key_of_the_same_name_opens_nothing() -> None:
    for other in (
        Key(KEY.id, KEY.version, os.urandom(32)),
        Key(KEY.id, 2, KEY.secret),
        Key(os.urandom(16), 1, KEY.secret),
    ):
        with pytest.raises(SealError):
            opened(SEALED, key=other)


def test_why_it_does_not_open_is_not_said_aloud() -> None:
    with pytest.raises(SealError) as caught:
        opened(SEALED[:-1])
    assert (str(caught.value), caught.value.why) == ("does not open", "tag")


def test_the_door_opens_what_was_sealed_for_it_and_nothing_else() -> None:
    keys = Keys(DOOR)
    place = Place("shop_1", row="con_1", field="settings")
    sealed = keys.seal_for_door(place, b"x")
    assert keys.open_at_door(place, sealed) == b"x"
    for record, other in ((SEALED, PLACE), (sealed, place._replace(row="con_2"))):
        with pytest.raises(SealError):
            keys.open_at_door(other, record)
    with pytest.raises(SealError):
        Keys(os.urandom(32)).open_at_door(place, sealed)


def test_a_web_process_has_no_root_key() -> None:
    with pytest.raises(SealError, match="does not hold"):
        Keys(DOOR).root()


def test_a_link_is_the_same_for_its_place_and_no_other() -> None:
    keys = Keys(DOOR)
    link = keys.link("offer", "shop_1", "off_1")
    assert link == Keys(DOOR).link("offer", "shop_1", "off_1")
    assert len(link) == 32
    assert set(link) <= set("abcdefghijklmnopqrstuvwxyz234567")
    others = {
        keys.link("plan", "shop_1", "off_1"),
        keys.link("offer", "shop_2", "off_1"),
        keys.link("offer", "shop_1", "off_2"),
        keys.link("offer", "shop_1off", "_1"),
        keys.link("offer", "off_1", "shop_1"),
        Keys(door=os.urandom(32)).link("offer", "shop_1", "off_1"),
    }
    assert len(others | {link}) == 7
    assert hash_key(link) not in (link, hash_key(link.upper()))


def test_keys_are_never_shown() -> None:
    assert "x00" not in repr(Keys(DOOR))
    assert repr(Keys(DOOR)) == repr(Keys(os.urandom(32)))
    assert repr(KEY) == repr(Key(KEY.id, KEY.version, os.urandom(32)))


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
    assert load_keys(tmp_path, None).roots is None
    with pytest.raises(SealError, match=r"root\.key is missing or damaged"):
        load_keys(tmp_path, Choice()).root().held()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o606, 0o660, 0o644, 0o601, 0o777])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    make_keys(tmp_path)
    (tmp_path / "door.key").chmod(mode)
    with pytest.raises(SealError, match=r"door\.key may be read by others: chmod 600"):
        load_keys(tmp_path, None)


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\xff\xfe", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)), b"A" * 43 + b"!"],
)
def test_a_damaged_key_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    make_keys(tmp_path)
    (tmp_path / "door.key").write_bytes(content)
    with pytest.raises(SealError) as caught:
        load_keys(tmp_path, None)
    assert str(caught.value) == "door.key is missing or damaged in REPRISE_KEYS"


def test_settings_are_shown_without_their_secrets() -> None:
    shown = masked({"url": "https://a.test", "secret": "s3", "old": ""}, {"secret", "old"})
    assert shown == {"url": "https://a.test", "secret": "••••", "old": ""}
