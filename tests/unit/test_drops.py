"""The drop: whoever has the public key can drop, only who has the secret one takes, for exactly the place."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.core.seal import Key, Place, SealError, drops, records
from plugin_backend.core.seal.records import Head

KEY = Key(bytes(range(16)), 1, bytes(range(32, 64)))
HEAD, PUBLIC = Head(KEY.id, KEY.version), drops.public_of(KEY.secret)
PLACE = Place("shop_1", "", "dlv_1", "delivery", "gwa_1")
SECRET = b"tok_very_secret"
DROPPED = drops.drop(HEAD, PUBLIC, PLACE, SECRET)
# Sealed once to the pair above. What lies in databases must open for ever, whatever becomes of this file's code.
GOLDEN = bytes.fromhex(
    "43440101000102030405060708090a0b0c0d0e0f000000012cd99f924563bff53be55e7fd44c296021851530ffcde017"
    "0bfcedd9f546871d5674101738edb3c756f063b22dcfd5c820a07d8099db49056babf487239e45"
)


def taken(dropped: bytes, place: Place = PLACE, key: Key = KEY) -> bytes:
    return drops.take(key, place, dropped)


def test_what_was_dropped_is_taken_for_its_place() -> None:
    assert taken(DROPPED) == taken(GOLDEN) == SECRET
    assert SECRET not in DROPPED
    assert len(DROPPED) == len(SECRET) + drops.OVERHEAD == len(SECRET) + 72
    assert drops.head_of(DROPPED) == HEAD
    assert drops.public_of(KEY.secret) not in DROPPED


def test_nothing_is_dropped_alike_twice() -> None:
    assert len({drops.drop(HEAD, PUBLIC, PLACE, SECRET)[24:] for _ in range(50)}) == 50


@pytest.mark.parametrize("part", PLACE._fields)
@pytest.mark.parametrize("other", ["", "shop_2", "SHOP_1", "delivery\0"])
def test_no_part_of_its_place_can_be_another(part: str, other: str) -> None:
    place = PLACE._replace(**{part: other})
    if place == PLACE:
        return
    with pytest.raises(SealError):
        taken(DROPPED, place)


def test_no_two_parts_of_its_place_can_change_their_seats() -> None:
    for one, two in itertools.combinations(range(len(PLACE)), 2):
        place = [*PLACE]
        place[one], place[two] = place[two], place[one]
        with pytest.raises(SealError):
            taken(DROPPED, Place(*place))


def test_every_bit_counts() -> None:
    for at in range(len(DROPPED) * 8):
        changed = bytearray(DROPPED)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(SealError):
            taken(bytes(changed))


@given(st.binary(max_size=200))
def test_whatever_is_no_drop_is_refused_as_one(noise: bytes) -> None:
    for bad in (noise, DROPPED[: len(noise)], DROPPED + noise + b"x"):
        with pytest.raises(SealError):
            taken(bad)


@pytest.mark.parametrize(
    "key",
    [
        Key(KEY.id, KEY.version, bytes(32)),
        Key(KEY.id, 2, KEY.secret),
        Key(bytes(16), KEY.version, KEY.secret),
    ],
)
def test_only_the_pair_it_was_dropped_for_takes_it(key: Key) -> None:
    with pytest.raises(SealError):
        taken(DROPPED, key=key)


def test_a_record_is_no_drop_and_a_drop_no_record() -> None:
    record = records.seal(KEY, PLACE, SECRET * 10)
    with pytest.raises(SealError):
        taken(record)
    with pytest.raises(SealError):
        records.open_with(KEY, PLACE, drops.drop(HEAD, PUBLIC, PLACE, SECRET * 10))
