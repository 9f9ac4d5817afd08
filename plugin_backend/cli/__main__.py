"""``python -m plugin_backend.cli``: the same command, for processes that start one another."""

from plugin_backend.cli import main

main()
