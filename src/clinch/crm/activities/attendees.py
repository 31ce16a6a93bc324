"""Those who are invited to a meeting, and where it is held."""

from clinch.resources.fields import Boolean, Choice, EmailAddress, Item, ListOf, Output, Text, Url


class Attendee(Item):
    """Somebody who is invited."""

    email = EmailAddress(required=True)
    name = Text(nullable=True, max=1000)
    status = Choice("noreply", "yes", "no", "maybe", default="noreply")
    is_organizer = Boolean()


class Attendees(ListOf):
    """Each is answered with the contact of the lead, and the user, that have the address by now."""

    def output(self, row: str, out: Output) -> str:
        address = "lower(a.entry ->> 'email')"
        contact = (
            "(select c.id from contact c where c.organization_id = $1"
            f" and c.lead_id = {row}.lead_id and exists (select from jsonb_array_elements(c.emails)"
            f" e(item) where lower(e.item ->> 'email') = {address})"
            " order by c.date_created, c.id limit 1)"
        )
        user = (
            "(select u.id from app_user u where u.organization_id = $1"
            f" and lower(u.email) = {address})"
        )
        return (
            f"(select coalesce(jsonb_agg(a.entry || jsonb_build_object('contact_id', {contact},"
            f" 'user_id', {user}) order by a.place), '[]')"
            f" from jsonb_array_elements({self.sql(row)}) with ordinality a(entry, place))"
        )


class ConferenceLink(Item):
    """Where to meet online."""

    type = Choice(
        "ZOOM",
        "GOOGLE_MEET",
        "GOOGLE_HANGOUTS",
        "MICROSOFT_TEAMS",
        "SKYPE",
        "WEBEX",
        "GO_TO_MEETING",
        required=True,
    )
    url = Url(required=True, nullable=False)
