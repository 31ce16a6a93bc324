"""How a person is reached: inputs that leads and contacts share."""

from clinch.gateway.actions.inputs import Input, Objects, Text

EMAILS = Objects(
    name="emails",
    also=("email",),
    text="email",
    inner=(
        Text(name="email", max=254, required=True, also=("address",), doc="The address."),
        Text(name="type", max=40, doc="office, home, direct or other; office when left out."),
    ),
    doc='Email addresses, as texts or as {"email", "type"}. On an update they replace all.',
)
PHONES = Objects(
    name="phones",
    also=("phone",),
    text="phone",
    inner=(
        Text(name="phone", max=60, required=True, also=("number",), doc="The number, with +."),
        Text(name="type", max=40, doc="office, mobile, home, direct, fax or other."),
    ),
    doc='Phone numbers, as texts or as {"phone", "type"}. On an update they replace all.',
)
URLS = Objects(
    name="urls",
    text="url",
    inner=(
        Text(name="url", max=2000, required=True, doc="The address."),
        Text(name="type", max=40, doc="What it is, such as linkedin."),
    ),
    doc='Web addresses, as texts or as {"url", "type"}. On an update they replace all.',
)

PERSON: tuple[Input, ...] = (
    Text(name="name", max=1000, clears=True, also=("fullName",), doc="The person's name."),
    Text(name="title", max=1000, clears=True, also=("jobTitle",), doc="What they do there."),
    EMAILS,
    PHONES,
    URLS,
)
