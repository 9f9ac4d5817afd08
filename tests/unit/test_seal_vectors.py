"""The record format as it is kept for ever, and everything beside it refused."""

import itertools
import json
import random
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plugin_backend.core.seal import Key, Place, SealError, records
from tests.unit.seal_vectors import FILE, associated, derive, key_of, made_for_two

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))
VECTORS: list[dict[str, Any]] = GOLDEN["records"]
FLIPS, SEED = 100_000, 20261122


def raw(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def refused(key: Key, place: Place, record: bytes) -> str:
    """Why it was not opened; "" where it was."""
    try:
        records.open_with(key, place, record)
    except SealError as error:
        assert str(error) == "does not open"
        return error.why
    return ""


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["what"]))
def test_every_golden_record_opens_and_is_made_again_byte_for_byte(vector: dict[str, Any]) -> None:
    key, place = key_of(vector["key"]), Place(*vector["place"])
    plaintext, record = raw(vector, "plaintext"), raw(vector, "record")
    assert records.open_with(key, place, record) == plaintext
    salt, nonce = raw(vector, "salt"), raw(vector, "nonce")
    assert records.sealed_with(key, place, plaintext, salt=salt, nonce=nonce) == record
    assert len(record) == len(plaintext) + 116


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["what"]))
def test_a_golden_record_is_what_is_written_of_the_format(vector: dict[str, Any]) -> None:
    key, place, salt, nonce = (
        key_of(vector["key"]),
        Place(*vector["place"]),
        raw(vector, "salt"),
        raw(vector, "nonce"),
    )
    derived = derive(key, salt, place)
    aad = associated(key, place)
    ciphertext = AESGCM(derived[:32]).encrypt(nonce, raw(vector, "plaintext"), aad)
    assert raw(vector, "record") == aad[:24] + salt + derived[32:] + nonce + ciphertext


def test_a_ciphertext_for_two_keys_is_opened_by_gcm_under_both_and_by_a_record_under_one_at_most() -> None:
    two = GOLDEN["two_keys"]
    assert made_for_two() == two
    one, other = map(key_of, two["keys"])
    place, salt, nonce, ciphertext = (
        Place(*two["place"]),
        raw(two, "salt"),
        raw(two, "nonce"),
        raw(two, "ciphertext"),
    )
    aad = associated(one, place)
    derived = {key.secret: derive(key, salt, place) for key in (one, other)}

    plain = [AESGCM(derived[key.secret][:32]).decrypt(nonce, ciphertext, aad) for key in (one, other)]
    assert (len(ciphertext), plain[0][:16], plain[1][16:32]) == (64, raw(two, "first"), raw(two, "second"))
    assert plain[0] != plain[1]

    for committed, cheated in ((one, other), (other, one)):
        record = aad[:24] + salt + derived[committed.secret][32:] + nonce + ciphertext
        assert refused(cheated, place, record) == "commitment"
        assert refused(committed, place, record) == ""
    uncommitted = aad[:24] + salt + bytes(32) + nonce + ciphertext
    assert [refused(key, place, uncommitted) for key in (one, other)] == ["commitment"] * 2


def test_a_ciphertext_for_two_keys_opens_under_no_third() -> None:
    two = GOLDEN["two_keys"]
    third = derive(Key(bytes(16), 1, bytes(32)), raw(two, "salt"), Place(*two["place"]))[:32]
    aad = associated(key_of(two["keys"][0]), Place(*two["place"]))
    with pytest.raises(InvalidTag):
        AESGCM(third).decrypt(raw(two, "nonce"), raw(two, "ciphertext"), aad)


def test_a_hundred_thousand_random_flips_of_a_bit_are_refused() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    small = [vector for vector in VECTORS if len(vector["record"]) < 400]
    opening = [(key_of(one["key"]), Place(*one["place"]), raw(one, "record")) for one in small]
    reasons: dict[str, int] = {}
    for _ in range(FLIPS):
        key, place, record = chance.choice(opening)
        bit = chance.randrange(8 * len(record))
        changed = bytearray(record)
        changed[bit // 8] ^= 1 << bit % 8
        why = refused(key, place, bytes(changed))
        reasons[why] = reasons.get(why, 0) + 1
    assert set(reasons) == {"not_a_record", "another_key", "commitment", "tag"}
    assert sum(reasons.values()) == FLIPS


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["what"]))
def test_every_other_place_made_of_the_same_words_is_refused(vector: dict[str, Any]) -> None:
    key, place, record = key_of(vector["key"]), Place(*vector["place"]), raw(vector, "record")
    others = {Place(*order) for order in itertools.product({*place, ""}, repeat=5)} - {place}
    assert others or place == Place("")
    assert {refused(key, other, record) for other in others} <= {"commitment"}
