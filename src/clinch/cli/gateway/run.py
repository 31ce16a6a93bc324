"""Running one command: reads its arguments, calls its function and prints what came of it."""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clinch.cli.gateway.arguments import read
from clinch.cli.gateway.result import FAILED, Failure, Result

if TYPE_CHECKING:
    from clinch.cli.gateway.main import Command


def run(command: "Command", words: list[str]) -> int:
    """The exit code of a command, with the words that follow its own."""
    try:
        return _print(_call(command, words), "--json" in words)
    except Failure as failure:
        return print_failure(failure, words)
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return 130


def _call(command: "Command", words: list[str]) -> Result:
    module, _, function = command.run.partition(".")
    room = importlib.import_module(f"clinch.cli.gateway.{module}")
    extra = {}
    if hasattr(room, "split"):
        words, extra = room.split(words)
    arguments = read(command.words, command.summary, command.arguments, words)
    result: Result = getattr(room, function)(arguments | extra)
    return result


def _print(result: Result, wants_json: bool) -> int:
    if result.raw is not None:
        sys.stdout.buffer.write(result.raw)
    elif wants_json:
        print(json.dumps(result.document, ensure_ascii=False))
    else:
        print(result.text)
        for note in result.notes:
            print(f"membrane: {note}", file=sys.stderr)
    sys.stdout.flush()
    return result.code


def print_failure(failure: Failure, words: Sequence[str]) -> int:
    """Tell of a failure of what `words` asked for; its exit code."""
    wants_json = "--json" in words
    if wants_json or not sys.stdout.isatty():
        print(json.dumps(failure.document(), ensure_ascii=False))
    if sys.stderr.isatty() or not wants_json:
        print(f"membrane: {failure.message}\n  {failure.hint}", file=sys.stderr)
    sys.stdout.flush()
    return failure.code
