"""Which images a browser may show in a page: formats that hold nothing but a picture."""

import re

_BEGINNINGS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


def image_type(content: bytes) -> str | None:
    """The media type that the first bytes show, whatever the file is said to be; None for any but
    these images."""
    return next((name for name, begins in _BEGINNINGS.items() if begins.match(content)), None)
