-- Frozen: four fields of 50 leads, the last changed first, written by hand; the same JSON as
-- GET /api/v1/lead/?_limit=50&_skip=…&_fields=id,display_name,status_label,date_updated.
-- Change it only when the answer itself changes, never to move a ratio.
-- Parameters come once, from `p`: each pgbench variable is one of its own.
\set skip random(:first, :last)
with p as (
    select :organization::uuid as organization_id, :skip::bigint as skip
), page as materialized (
    select l.id, l.name, l.status_id, l.date_updated
    from lead l
    where l.organization_id = (select p.organization_id from p)
    order by l.date_updated desc, l.id desc
    offset (select p.skip from p) limit 51
)
select '{"data":['
       || coalesce((select string_agg(row_to_json(answer)::text, ',') from (
    select l.id,
           coalesce(nullif(l.name, ''), (
               select nullif(coalesce(nullif(c.name, ''), c.emails -> 0 ->> 'email',
                                      c.phones -> 0 ->> 'phone'), '')
               from contact c
               where c.organization_id = p.organization_id and c.lead_id = l.id
               order by c.date_created, c.id
               limit 1
           ), 'Untitled') as display_name,
           s.label as status_label, api_time(l.date_updated) as date_updated
    from p
    join (select * from page order by date_updated desc, id desc limit 50) l on true
    join lead_status s on s.organization_id = p.organization_id and s.id = l.status_id
    order by l.date_updated desc, l.id desc
) answer), '')
       || '],"has_more":' || (select count(*) > 50 from page)::text
       || ',"total_results":'
       || (select k.lead_total from event_clock k join p using (organization_id))::text || '}';
