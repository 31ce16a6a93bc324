"""The gateway's commands: `membrane`, and the same words of `clinch`.

The standard library is all they need, so that they can be handed out as one file.
"""

HANDED_OUT_BY: list[str] = []
"""The server that this very copy of the commands was fetched from, if it was."""
