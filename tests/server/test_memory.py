"""How a web process treats its memory: all that it had is there afterwards."""

import subprocess
import sys

SETTLED = """
import gc
from clinch.program import declarations
from clinch.server import memory

memory.keep_what_is_freed()
declared = declarations()
kept = {str(number): [number] for number in range(300_000)}
memory.settle_what_lasts()
assert kept == {str(number): [number] for number in range(300_000)}
assert [resource.noun for resource in declarations()] == [resource.noun for resource in declared]
print(gc.get_freeze_count())
"""


def test_what_lasts_is_there_and_spared_by_garbage_collection() -> None:
    settled = subprocess.run(
        [sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(settled.stdout) > 300_000
    assert settled.stderr == ""
