"""What is installed in shops, packed."""

from pathlib import Path

import click

from plugin_backend.core import shop_parts


@click.command("shop-side")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("build/shop-side"),
    show_default=True,
    help="The folder, made where it is missing.",
)
def shop_side(into: Path) -> None:
    """Pack what is installed in shops, for every platform that has such a part. The dashboard offers the same with a
    shop's address and key filled in; these are for the owner to fill in."""
    for path in shop_parts.pack_all(into):
        click.echo(path)


COMMANDS = [shop_side]
