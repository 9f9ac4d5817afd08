"""What a shop knows, as one JSON file: written whole or not at all, read back into the same dataclasses."""

import dataclasses
import json
import os
import types
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints


def write(path: Path, state: Any) -> None:
    """Replace the file by the state. A crash in the middle leaves the old file."""
    beside = path.with_suffix(path.suffix + ".new")
    beside.write_text(json.dumps(dataclasses.asdict(state)), encoding="utf-8")
    os.replace(beside, path)


def read(path: Path, kind: Any) -> Any:
    """The state that was written; an empty one where there is no file."""
    if not path.exists():
        return kind()
    return revive(kind, json.loads(path.read_text(encoding="utf-8")))


def revive(kind: Any, data: Any) -> Any:
    """``data`` as ``kind`` has it: dataclasses, lists and dicts of them, keys that are numbers, and None."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        named = {one.name for one in dataclasses.fields(kind)}
        return kind(**{name: revive(hints[name], value) for name, value in data.items() if name in named})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return [revive(arguments[0], one) for one in data]
    if origin is dict:
        return {arguments[0](key): revive(arguments[1], value) for key, value in data.items()}
    if origin is types.UnionType and data is not None:
        return revive(next(one for one in arguments if one is not types.NoneType), data)
    return data
