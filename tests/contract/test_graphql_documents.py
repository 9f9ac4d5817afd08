"""The GraphQL documents that connectors send, and what they send with them, against the platforms' own types."""

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    extend_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from plugin_backend.core.registry import connectors
from plugin_backend.demo.shop.shopify.schema import SDL
from tests.contract.connector_golden import folder, home

PRUNED = (
    Path(__file__).resolve().parents[2].parent / "shared/fixtures/shopify/schema/admin-2026-10.pruned.graphql"
)
"""Shopify's own schema of 2026-10, cut down to what is asked; it stands beside the repository and is no part of it."""


_CUT_AWAY = """
extend type OrderConnection { pageInfo: PageInfo! }
enum ProductVariantInventoryPolicy { CONTINUE DENY }
type InventoryItem { tracked: Boolean! }
extend type ProductVariant {
  availableForSale: Boolean! inventoryPolicy: ProductVariantInventoryPolicy! sellableOnlineQuantity: Int
  inventoryItem: InventoryItem!
}
type DraftOrderConnection { nodes: [DraftOrder!]! }
extend type QueryRoot { draftOrders(first: Int, query: String): DraftOrderConnection! }
"""
"""What the schema has and its cut-down form has not, since nobody asked for it then."""


def shopify_schemas() -> list[Any]:
    own = pytest.param("shopify", build_schema(SDL), id="shopify-our-copy")
    if not PRUNED.is_file():
        loud = pytest.mark.skip(reason=f"SHOPIFY'S OWN SCHEMA IS NOT THERE: no {PRUNED}")
        return [own, pytest.param("shopify", build_schema(SDL), id="shopify-its-own", marks=loud)]
    # A schema that was cut down may lack what it does not need to be asked.
    theirs = extend_schema(
        build_schema(PRUNED.read_text(), assume_valid=True), parse(_CUT_AWAY), assume_valid=True
    )
    return [own, pytest.param("shopify", theirs, id="shopify-its-own")]


def _own_copies() -> list[Any]:
    """The types that a connector's own folder has a copy of."""
    copies = {platform: home(platform) / "contract" / "schema.graphql" for platform in connectors()}
    return [
        pytest.param(platform, build_schema(path.read_text()), id=f"{platform}-our-copy")
        for platform, path in copies.items()
        if path.is_file()
    ]


EACH_SCHEMA = pytest.mark.parametrize(("platform", "schema"), [*shopify_schemas(), *_own_copies()])


def documents(platform: str) -> dict[str, str]:
    """Every document of a connector, by the name of its constant."""
    package = importlib.import_module(f"connectors.{platform}")
    names = [one.name for one in pkgutil.iter_modules(package.__path__) if not one.ispkg]
    modules = [importlib.import_module(f"connectors.{platform}.{name}") for name in names]
    found = {
        name: value for module in modules for name, value in vars(module).items() if isinstance(value, str)
    }
    kinds = ("query ", "mutation ", "subscription ")
    return {name: value for name, value in found.items() if value.startswith(kinds)}


@EACH_SCHEMA
def test_every_document_asks_for_what_there_is(platform: str, schema: GraphQLSchema) -> None:
    found = documents(platform)
    assert len(found) >= 10
    wrong = {name: validate(schema, parse(text)) for name, text in found.items()}
    assert {name: errors for name, errors in wrong.items() if errors} == {}


@EACH_SCHEMA
def test_what_is_written_fits_the_types(platform: str, schema: GraphQLSchema) -> None:
    """The requests of the golden files, whose variables are input objects, enums and decimals of the platform's."""
    paths = sorted(folder(platform).glob("*.write_back.json"))
    bodies = [
        one["body"]
        for path in paths
        for one in json.loads(path.read_text())
        if isinstance(one.get("body"), dict)
    ]
    assert bodies
    wrong = [(body["operationName"], error) for body in bodies for error in errors_in(schema, body)]
    assert wrong == []


def test_a_field_or_a_variable_that_the_platform_has_not_is_noticed() -> None:
    schema = build_schema(SDL)
    assert validate(schema, parse("query ShopInfo { shop { nome } }"))
    document = (
        "mutation Paid($input: OrderMarkAsPaidInput!) { orderMarkAsPaid(input: $input) { order { id } } }"
    )
    assert errors_in(schema, {"query": document, "variables": {"input": {"id": "1", "ids": []}}})
    assert not errors_in(schema, {"query": document, "variables": {"input": {"id": "1"}}})


def errors_in(schema: GraphQLSchema, body: dict[str, Any]) -> list[Any]:
    document = parse(body["query"])
    operation = _operation(document)
    coerced = get_variable_values(schema, list(operation.variable_definitions or ()), body["variables"])
    return [*validate(schema, document), *(coerced if isinstance(coerced, list) else [])]


def _operation(document: DocumentNode) -> OperationDefinitionNode:
    return next(one for one in document.definitions if isinstance(one, OperationDefinitionNode))
