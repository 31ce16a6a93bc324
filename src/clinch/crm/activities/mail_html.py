"""The HTML of mails: kept as it looks, without what acts."""

from typing import Any

import nh3

from clinch.crm.open_tags import refuse_open_tags
from clinch.resources.actor import Actor
from clinch.resources.fields import Text

_LOOKS = {
    "align",
    "bgcolor",
    "border",
    "class",
    "dir",
    "height",
    "lang",
    "style",
    "title",
    "valign",
}
_STYLES = """
background background-color background-image background-position background-repeat
background-size border border-bottom border-bottom-color border-bottom-style
border-bottom-width border-collapse border-color border-left border-left-color
border-left-style border-left-width border-radius border-right border-right-color
border-right-style border-right-width border-spacing border-style border-top border-top-color
border-top-style border-top-width border-width box-sizing clear color direction display float
font font-family font-size font-style font-variant font-weight height letter-spacing
line-height list-style list-style-type margin margin-bottom margin-left margin-right
margin-top max-width min-width opacity overflow-wrap padding padding-bottom padding-left
padding-right padding-top table-layout text-align text-decoration text-indent text-transform
vertical-align white-space width word-break word-wrap
"""

_CLEANER = nh3.Cleaner(
    tags=nh3.ALLOWED_TAGS | {"big", "font"},
    clean_content_tags={"script", "style", "title"},
    attributes={tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
    | {
        "*": _LOOKS,
        "a": {"href", "hreflang", "name", "target"},
        "font": {"color", "face", "size"},
        "img": {"src", "width", "align", "alt", "height", "hspace", "vspace"},
        "table": {"cellpadding", "cellspacing", "summary", "width"},
        "td": {"background", "colspan", "headers", "nowrap", "rowspan", "width"},
        "th": {"colspan", "headers", "nowrap", "rowspan", "scope", "width"},
    },
    filter_style_properties=set(_STYLES.split()),
    url_schemes={"http", "https", "mailto", "tel", "cid"},
)


class MailHtml(Text):
    """The body of a mail as a fragment of HTML. Scripts, forms, frames and style sheets are taken
    out, and what of a style would leave the mail's place on the page; the rest is as it was."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(max=300_000, nullable=True, **rest)

    def read(self, value: Any, actor: Actor) -> Any:
        value = super().read(value, actor)
        if not value:
            return value
        refuse_open_tags(value)
        return _CLEANER.clean(value).strip() or None
