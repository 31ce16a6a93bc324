"""Pages of plain HTML: they need no JavaScript, load nothing, and cannot be framed."""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

_STYLE = """
body { font: 16px/1.6 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem;
       color: #1d2433; background: #fff }
h1 { font-size: 1.6rem; margin-bottom: 0 }
pre { background: #f3f5f8; padding: 1rem; overflow-x: auto; border-radius: 6px }
a { color: #1a56c4 }
form { max-width: 24rem }
label { display: block; margin-top: 1rem; font-weight: 600 }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border-radius: 6px;
        border: 1px solid #6b7484; color: inherit; background: inherit }
button { font: inherit; margin-top: 1.5rem; padding: .5rem 1.25rem; border: 0; border-radius: 6px;
         color: #fff; background: #1a56c4 }
.choice { font-weight: 400; margin-top: .25rem }
.choice input { width: auto }
fieldset { margin-top: 1rem; border: 1px solid #6b7484; border-radius: 6px }
.code { font-size: 1.6rem; overflow-wrap: anywhere }
.other { background: #6b7484 }
small { display: block }
[role=alert] { padding: .5rem 1rem; border-left: 4px solid #c42b1a; background: #fdf0ee }
@media (prefers-color-scheme: dark) {
  body { color: #e6e9ef; background: #14181f }
  pre { background: #1f2630 }
  a { color: #8ab4ff }
  [role=alert] { background: #3a1d1a }
}
"""


def _policy(*styles: str) -> str:
    """Nothing is loaded and no script runs; these styles alone are applied."""
    digests = (hashlib.sha256(style.encode()).digest() for style in styles)
    hashes = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in digests)
    return (
        f"default-src 'none'; style-src {hashes}; form-action 'self'; frame-ancestors 'none';"
        " base-uri 'none'"
    )


# A secret may stand in the address: no Referer carries it away, and nothing keeps the page.
_HEADERS = {
    "content-security-policy": _policy(_STYLE),
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


def page(
    title: str,
    body: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    above: str = "",
    style: str = "",
) -> HTMLResponse:
    """A whole page; `body` and what stands `above` the title are HTML, `title` is text. `style` is
    applied after the common one."""
    own = {"content-security-policy": _policy(_STYLE, style)} if style else {}
    more = f"\n<style>{style}</style>" if style else ""
    return HTMLResponse(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>{more}
</head>
<body>
{above}<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
""",
        status,
        {**_HEADERS, **own, **(headers or {})},
    )


def sent_to(*uris: str) -> dict[str, str]:
    """The headers of a page whose form ends at certain addresses of other sites: browsers hold
    the redirects of a form to its policy as well."""
    policy = _HEADERS["content-security-policy"]
    parts = [urlsplit(uri) for uri in uris]
    origins = " ".join(f"{one.scheme}://{one.netloc}" for one in parts)
    return {"content-security-policy": policy.replace("action 'self'", f"action 'self' {origins}")}


def running(script: str) -> dict[str, str]:
    """The headers of a page on which this one script runs, and no other."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = _HEADERS["content-security-policy"]
    return {"content-security-policy": f"{policy}; script-src 'sha256-{digest}'"}


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def alert(text: str) -> str:
    """What went wrong, read out at once by those who hear the page."""
    return f'<p role="alert">{escape(text)}</p>'


def field(
    name: str,
    label: str,
    *,
    kind: str = "text",
    value: str = "",
    complete: str = "",
    hint: str = "",
) -> str:
    """A labelled input that must be filled in; passwords are asked for in the length they need."""
    described = f' aria-describedby="{name}-hint"' if hint else ""
    told = f'<small id="{name}-hint">{escape(hint)}</small>\n' if hint else ""
    return (
        f'<label for="{name}">{escape(label)}</label>\n{told}'
        f'<input id="{name}" name="{name}" type="{kind}" value="{escape(value)}"'
        f' autocomplete="{complete or "off"}" required{described}>\n'
    )


def hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{escape(value)}">\n'


def form(inputs: str, button: str) -> str:
    """A form that is sent to the page's own address."""
    return f'<form method="post">\n{inputs}<button>{escape(button)}</button>\n</form>'
