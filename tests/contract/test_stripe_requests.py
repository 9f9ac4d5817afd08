"""Every request that the golden files hold is one that Stripe's own published specification takes: its path, the names of its
parameters, and their values.

The specification stands beside the repository and is no part of it: without it every test here is skipped, loudly. It is of
2023-08-16; that the parameters are also those of the library's own version is a matter of its types.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract import exchanges
from tests.contract.stripe_fake.wire import form_of

SPEC = (
    Path(__file__).resolve().parents[2].parent
    / "shared/fixtures/gateway-specs/stripe-requests-subset-2023-08-16.json"
)
pytestmark = pytest.mark.skipif(
    not SPEC.is_file(),
    reason=f"THE PUBLISHED SPECIFICATION IS NOT THERE: no {SPEC.name} beside the repository",
)
# Not among the 49 paths of the subset.
_NOT_IN_THE_SUBSET = ("/v1/account", "/v1/country_specs/{code}")
_golden = [path for path in sorted(exchanges.golden("stripe").glob("*.json")) if "callback_" not in path.stem]


@cache
def _spec() -> Any:
    return json.loads(SPEC.read_text())


def _asked() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in _golden:
        for number, step in enumerate(exchanges.steps(exchanges.read(path))):
            yield f"{path.stem}-{number}", step["request"]


@pytest.mark.parametrize("request_", [pytest.param(asked, id=name) for name, asked in _asked()])
def test_a_request_is_one_that_the_published_specification_takes(request_: dict[str, Any]) -> None:
    address = urlsplit(request_["url"])
    if _template(address.path, _NOT_IN_THE_SUBSET):
        pytest.skip(f"the subset does not have {address.path}")
    operation = _operation(request_["method"], address.path)
    if request_["method"] == "GET":
        schema = _of_query(operation)
        assert list(_wrong(schema, form_of(address.query), "")) == []
    else:
        schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        assert list(_wrong(schema, form_of(request_["body"]), "")) == []


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ("amount=10&currency=eur&amonut=1", "amonut: not a parameter"),
        ("currency=eur", "amount: missing"),
        ("amount=ten&currency=eur", "amount: not integer"),
        ("amount=10&currency=eur&setup_future_usage=never", "setup_future_usage: not one of"),
        ("amount=10&currency=eur&metadata=plain", "metadata: "),
        (f"amount=10&currency=eur&description={'x' * 1001}", "description: too long"),
        ("amount=10&currency=eur&payment_method_options[card][request_three_d_secure]=maybe", "not one of"),
    ],
)
def test_the_check_complains_of_what_is_wrong(form: str, complaint: str) -> None:
    operation = _operation("POST", "/v1/payment_intents")
    schema = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    found = list(_wrong(schema, form_of(form), ""))
    assert len(found) == 1 and complaint in found[0]


def _operation(method: str, path: str) -> dict[str, Any]:
    template = _template(path, list(_spec()["paths"]))
    assert template, f"the specification has no {path}"
    found: dict[str, Any] = _spec()["paths"][template][method.lower()]
    return found


def _template(path: str, templates: Any) -> str:
    fitting = [it for it in templates if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", it), path)]
    return min(fitting, key=lambda it: it.count("{"), default="")


def _of_query(operation: dict[str, Any]) -> dict[str, Any]:
    named = [it for it in operation.get("parameters", []) if it["in"] == "query"]
    return {
        "type": "object",
        "properties": {it["name"]: it["schema"] for it in named},
        "required": [it["name"] for it in named if it.get("required")],
        "additionalProperties": False,
    }


def _wrong(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    """What is wrong with a form's value, whose leaves are all texts: a text that can be read as what the schema wants is
    that."""
    if "anyOf" in schema:
        tried = [list(_wrong(one, value, at)) for one in schema["anyOf"]]
        yield from ([] if any(not found for found in tried) else tried[0])
        return
    match schema.get("type"):
        case "object":
            yield from _wrong_object(schema, value, at)
        case "array":
            if not isinstance(value, list):
                yield f"{at}: not a list"
                return
            for number, one in enumerate(value):
                yield from _wrong(schema["items"], one, f"{at}[{number}]")
        case "integer" if not re.fullmatch(r"-?[0-9]+", str(value)):
            yield f"{at}: not integer"
        case "boolean" if value not in ("true", "false"):
            yield f"{at}: not boolean"
        case "string":
            yield from _wrong_text(schema, value, at)


def _wrong_object(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: not an object"
        return
    properties, further = schema.get("properties", {}), schema.get("additionalProperties", False)
    for name in schema.get("required", []):
        if name not in value:
            yield f"{name}: missing"
    for name, held in value.items():
        if name in properties:
            yield from _wrong(properties[name], held, f"{at}.{name}".lstrip("."))
        elif isinstance(further, dict):
            yield from _wrong(further, held, f"{at}.{name}".lstrip("."))
        else:
            yield f"{name}: not a parameter"


def _wrong_text(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{at}: not a text"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{at}: not one of {schema['enum']}"
    elif len(value) > schema.get("maxLength", len(value)):
        yield f"{at}: too long"
