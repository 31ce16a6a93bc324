-- Frozen: a new lead with one contact, written by hand: the rows of POST /api/v1/lead/ in lead,
-- contact, activity, search_text, event, event_body and event_clock. Change it only when those change, never
-- to move a ratio. As in the program the clock is the last lock that the transaction takes.
-- Parameters come once, from `p`: each pgbench variable is one of its own. Ids are counted up.
-- The answer is that of get_lead.sql, asked between the two statements.
\set count :count + 1
\set number :client_id * 10000000 + :count
with p as (
    select *, lower(name) || '.example' as domain
    from (select :organization::uuid as organization_id, :user::text as user_id,
                 'lead_' || :run::text || :number::bigint as lead_id,
                 'cont_' || :run::text || :number::bigint as contact_id,
                 'acti_' || :run::text || :number::bigint as activity_id,
                 'Juniper-' || :number::bigint as name,
                 (2000000 + :number::bigint % 7000000)::text as digits) given
), new_lead as (
    insert into lead (organization_id, id, name, description, url, status_id, addresses,
                      custom, created_by, updated_by, date_created, date_updated)
    select p.organization_id, p.lead_id, p.name, '', 'https://' || p.domain, s.id, '[]',
           '{}', p.user_id, p.user_id, now(), now()
    from p cross join lateral (
        select s.id from lead_status s where s.organization_id = p.organization_id
        order by s.position, s.id limit 1
    ) s
), new_contact as (
    insert into contact (organization_id, id, lead_id, name, title, emails, phones, urls,
                         timezone, custom, created_by, updated_by, date_created, date_updated)
    select p.organization_id, p.contact_id, p.lead_id, 'Grace Okafor', 'Buyer',
           ('[{"email": "g.' || p.digits || '@' || p.domain
            || '", "type": "office", "is_unsubscribed": false}]')::jsonb,
           ('[{"phone": "+1415' || p.digits || '", "type": "office", "phone_formatted": "+1 415-'
            || left(p.digits, 3) || '-' || right(p.digits, 4) || '", "country": "US"}]')::jsonb,
           '[]', null, '{}', p.user_id, p.user_id, now(), now()
    from p
), new_activity as (
    insert into activity (organization_id, id, _type, lead_id, user_id, users, activity_at, data,
                          created_by, updated_by, date_created, date_updated)
    select p.organization_id, p.activity_id, 'Created', p.lead_id, p.user_id, '[]', now(),
           '{"source": "api"}', p.user_id, p.user_id, now(), now()
    from p
)
insert into search_text (organization_id, id, lead_id, text)
select p.organization_id, x.id, p.lead_id, x.text
from p cross join lateral (
    values (p.lead_id, lower(p.name) || chr(10) || 'https://' || p.domain),
           (p.contact_id, 'grace okafor' || chr(10) || 'g.' || p.digits || '@' || p.domain
                          || chr(10) || '1415' || p.digits)
) x (id, text);
with p as (
    select :organization::uuid as organization_id, :user::text as user_id,
           :credential::text as api_key_id, 'req_' || :run::text || :number::bigint as request_id,
           'lead_' || :run::text || :number::bigint as lead_id,
           'cont_' || :run::text || :number::bigint as contact_id,
           'acti_' || :run::text || :number::bigint as activity_id,
           'ev_' || :run::text || 3 * :number::bigint as lead_event_id,
           'ev_' || :run::text || 3 * :number::bigint + 1 as contact_event_id,
           'ev_' || :run::text || 3 * :number::bigint + 2 as activity_event_id
), clock as (
    update event_clock c set seq = c.seq + 3, lead_total = c.lead_total + 1
    from p where c.organization_id = p.organization_id
    returning c.seq
), body as materialized (
    select 1 as n, p.lead_event_id as id, 'lead' as object_type, p.lead_id as object_id,
           uuid_send(gen_random_uuid()) as salt, (
        select row_to_json(x)::text from (
            select l.id, l.name, l.account_id, l.description, l.url, l.status_id, l.addresses, l.custom,
                   l.created_by, l.updated_by, l.date_created, l.date_updated
            from lead l where l.organization_id = p.organization_id and l.id = p.lead_id
        ) x
    ) as after
    from p
    union all
    select 2, p.contact_event_id, 'contact', p.contact_id, uuid_send(gen_random_uuid()), (
        select row_to_json(x)::text from (
            select c.id, c.lead_id, c.name, c.title, c.emails, c.phones, c.urls, c.timezone,
                   c.custom, c.created_by, c.updated_by, c.date_created, c.date_updated
            from contact c where c.organization_id = p.organization_id and c.id = p.contact_id
        ) x
    )
    from p
    union all
    select 3, p.activity_event_id, 'activity.created', p.activity_id,
           uuid_send(gen_random_uuid()), (
        select row_to_json(x)::text from (
            select a.id, a.created_by, a.updated_by, a.date_created, a.date_updated, a._type,
                   a.lead_id, a.contact_id, a.user_id, a.users, a.object_id, a.activity_at,
                   a.data ->> 'source' as source, a.data ->> 'import_id' as import_id
            from activity a where a.organization_id = p.organization_id and a.id = p.activity_id
        ) x
    )
    from p
), logged as (
    insert into event (organization_id, seq, id, at, object_type, object_id, lead_id, action,
                       changed, user_id, api_key_id, request_id, source, method, path, digest)
    select p.organization_id, clock.seq - 3 + body.n, body.id, now(), body.object_type,
           body.object_id, p.lead_id, 'created', '{}', p.user_id, p.api_key_id, p.request_id,
           'api', 'POST', '/api/v1/lead/',
           sha256(int8send(16) || body.salt || int8send(0) || int8send(octet_length(body.after))
                  || convert_to(body.after, 'UTF8'))
    from p, clock, body
)
insert into event_body (organization_id, seq, before, after, salt)
select p.organization_id, clock.seq - 3 + body.n, null, body.after::json, body.salt
from p, clock, body;
