"""Marking what an adapter says to people. Its translations lie in its own folder, a file such as ``fr.po`` for each
language; a sentence without one is told in English."""


def N_(message: str) -> str:
    """Marks a message for extraction that is translated later."""
    return message
