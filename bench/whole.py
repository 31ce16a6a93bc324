"""A whole Clinch, as a person starts it, in a folder of its own."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clinch.cli.children import end


@contextmanager
def clinch_up(*words: str) -> Iterator[dict[str, Any]]:
    """Run `clinch up --json` with more words; what it tells once it answers."""
    folder = Path(tempfile.mkdtemp(prefix="clinch-bench-"))
    command = [sys.executable, "-m", "clinch.cli.main", "up", "--json", "--port", "0", *words]
    process = subprocess.Popen(
        [*command, "--home", str(folder / "home")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("bench: `clinch up` did not start: run it by hand to see why")
        yield json.loads(line)
    finally:
        end(process, patience=20)
        shutil.rmtree(folder, ignore_errors=True)
