"""What tells most about a lead or a contact in a few words, as SQL of computed fields."""


def first_of_contacts(column: str, lead: str = "{row}.id", *, whole: bool = False) -> str:
    """The first entry of the emails or phones of the lead's first contact that has any, in the
    order in which contacts are shown, or the `whole` list."""
    entry = f"c.{column}" if whole else f"c.{column} -> 0"
    return (
        f"(select {entry} from contact c where c.organization_id = {{org}} and c.lead_id = {lead}"
        f" and c.{column} <> '[]' order by c.date_created, c.id limit 1)"
    )


CONTACTS = (
    "(select coalesce(string_agg(coalesce(nullif(c.name, ''), c.emails -> 0 ->> 'email',"
    " c.phones -> 0 ->> 'phone'), ', ' order by c.date_created, c.id), '')"
    " from contact c where c.organization_id = {org} and c.lead_id = {row}.id)"
)
"""The names of the lead's contacts."""

_ADDRESS = "{row}.addresses -> 0"

PRIMARY_ADDRESS = (
    "nullif(concat_ws(', ', "
    + ", ".join(f"nullif({_ADDRESS} ->> '{part}', '')" for part in ("city", "state", "country"))
    + "), '')"
)
"""Where the lead's first address is, or null."""

LOCAL_TIME = (
    "(select to_char(t.here, 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || case when t.ahead < interval '0'"
    " then '-' else '+' end || to_char(greatest(t.ahead, -t.ahead), 'HH24:MI')"
    " from (select z.here, z.here - ({now} at time zone 'UTC') as ahead"
    f" from (select {{now}} at time zone ({_ADDRESS} -> 'tz_ids' ->> 0) as here) z) t)"
)
"""What the clock says at the lead's first address, with the zone's offset, or null."""

_MOST_CALLS = 5


def recent_calls(of: str) -> str:
    """The latest calls that meet the condition on `a`, newest first."""
    return (
        "(select coalesce(json_agg(json_build_object('id', c.id, 'dialer_id', null, 'duration',"
        " c.duration, 'finish_timestamp', api_time(c.activity_at"
        " + make_interval(secs => c.duration)), 'status', c.status)"
        " order by c.activity_at desc, c.id desc), '[]')"
        " from (select a.id, a.duration, a.activity_at, a.status from activity a"
        f" where a.organization_id = {{org}} and {of} and a._type = 'Call'"
        f" order by a.activity_at desc, a.id desc limit {_MOST_CALLS}) c)"
    )
