-- Frozen: 50 leads with all that belongs to them, the last changed first, written by hand; the
-- same JSON as GET /api/v1/lead/?_limit=50&_skip=…. Change it only when the answer itself changes,
-- never to move a ratio. Parameters come once, from `p`: a pgbench variable is one of its own.
\set skip random(:first, :last)
with p as (
    select :organization::uuid as organization_id, :public_url::text as public_url,
           :today::date as today, :skip::bigint as skip
), page as materialized (
    select l.*
    from lead l
    where l.organization_id = (select p.organization_id from p)
    order by l.date_updated desc, l.id desc
    offset (select p.skip from p) limit 51
)
select '{"data":[' || coalesce((
    select string_agg(case when own.flat is null then row_to_json(answer)::text
                           else '{' || own.flat || substr(row_to_json(answer)::text, 2) end,
                      ',' order by l.date_updated desc, l.id desc)
    from p
    join (select * from page order by date_updated desc, id desc limit 50) l on true
    join organization org on org.organization_id = p.organization_id
    join lead_status s on s.organization_id = p.organization_id and s.id = l.status_id
    left join app_user cu on cu.organization_id = p.organization_id and cu.id = l.created_by
    left join app_user uu on uu.organization_id = p.organization_id and uu.id = l.updated_by
    cross join lateral (
        select string_agg(to_json('custom.' || f.id)::text || ':' || (l.custom -> f.id)::text || ',',
                          '' order by f.position, f.id) as flat,
               coalesce(json_object_agg(f.name, l.custom -> f.id), '{}') as by_name
        from custom_field f
        where l.custom <> '{}' and f.organization_id = p.organization_id
              and f.kind = 'lead' and l.custom ? f.id
    ) own
    cross join lateral (
        select coalesce(json_agg(c.id), '[]') as ids,
               coalesce(json_agg(
                   case when own.flat is null then row_to_json(fields)
                        else ('{' || own.flat || substr(row_to_json(fields)::text, 2))::json end
               ), '[]') as objects,
               (array_agg(nullif(fields.display_name, '')))[1] as first_name
        from (
            select c.* from contact c
            where c.organization_id = p.organization_id and c.lead_id = l.id
            order by c.date_created, c.id
        ) c
        cross join lateral (
            select string_agg(to_json('custom.' || f.id)::text || ':' || (c.custom -> f.id)::text || ',',
                              '' order by f.position, f.id) as flat,
                   coalesce(json_object_agg(f.name, c.custom -> f.id), '{}') as by_name
            from custom_field f
            where c.custom <> '{}' and f.organization_id = p.organization_id
                  and f.kind = 'contact' and c.custom ? f.id
        ) own
        cross join lateral (
            select c.id, org.id as organization_id, c.lead_id, c.name,
                   coalesce(nullif(c.name, ''), c.emails -> 0 ->> 'email',
                            c.phones -> 0 ->> 'phone', '') as display_name,
                   c.title, c.emails, c.phones, c.urls, '[]'::json as integration_links, c.timezone,
                   case when c.timezone is not null then 'manual' end as timezone_source,
                   own.by_name as custom, c.created_by, c.updated_by,
                   api_time(c.date_created) as date_created, api_time(c.date_updated) as date_updated
        ) fields
    ) contacts
    cross join lateral (
        select coalesce(nullif(l.name, ''), contacts.first_name, 'Untitled') as name
    ) shown
    cross join lateral (
        select coalesce(json_agg(
                   case when own.flat is null then row_to_json(fields)
                        else ('{' || own.flat || substr(row_to_json(fields)::text, 2))::json end order by o.date_created, o.id
               ), '[]') as objects
        from opportunity o
        join opportunity_status os on os.organization_id = p.organization_id and os.id = o.status_id
        join pipeline pl on pl.organization_id = p.organization_id and pl.id = os.pipeline_id
        left join contact c on c.organization_id = p.organization_id and c.id = o.contact_id
        left join app_user u on u.organization_id = p.organization_id and u.id = o.user_id
        left join app_user cu on cu.organization_id = p.organization_id and cu.id = o.created_by
        left join app_user uu on uu.organization_id = p.organization_id and uu.id = o.updated_by
        cross join lateral (
            select string_agg(to_json('custom.' || f.id)::text || ':' || (o.custom -> f.id)::text || ',',
                              '' order by f.position, f.id) as flat,
                   coalesce(json_object_agg(f.name, o.custom -> f.id), '{}') as by_name
            from custom_field f
            where o.custom <> '{}' and f.organization_id = p.organization_id
                  and f.kind = 'opportunity' and o.custom ? f.id
        ) own
        cross join lateral (
            select case o.value_period when 'monthly' then 12 else 1 end as times
        ) year
        cross join lateral (
            select o.id, org.id as organization_id, o.lead_id, shown.name as lead_name, o.contact_id,
                   case when c.id is not null then
                       coalesce(nullif(c.name, ''), c.emails -> 0 ->> 'email',
                                c.phones -> 0 ->> 'phone', '')
                   end as contact_name,
                   o.status_id, os.label as status_label, os.type as status_type,
                   case when (select count(*) from pipeline x
                              where x.organization_id = p.organization_id) > 1
                       then pl.name || ': ' else '' end || os.label as status_display_name,
                   os.pipeline_id, pl.name as pipeline_name,
                   o.user_id, trim(u.first_name || ' ' || u.last_name) as user_name,
                   o.value, o.value_period, org.currency as value_currency,
                   coalesce(api_money(o.value, org.currency_symbol, o.value_period), '')
                       as value_formatted,
                   o.confidence, round(o.value * o.confidence / 100.0)::bigint as expected_value,
                   o.value * year.times as annualized_value,
                   round(o.value * year.times * o.confidence / 100.0)::bigint
                       as annualized_expected_value,
                   o.note, o.note_html, null as comment_summary, '[]'::json as integration_links,
                   case when o.attachments = '[]' then '[]'::json else (
                       select json_agg(json_build_object('url', p.public_url || '/go/file/persisted/' || org.id
                               || '/opportunity/' || o.id || '/' || (e.entry ->> 'file_id') || '/'
                               || regexp_replace(e.entry ->> 'filename', '[^A-Za-z0-9._-]+', '_', 'g') || '/',
                           'filename', e.entry -> 'filename', 'content_type', e.entry -> 'content_type',
                           'size', e.entry -> 'size', 'thumbnail_url', e.entry -> 'thumbnail_url') order by e.place)
                       from jsonb_array_elements(o.attachments) with ordinality e(entry, place)) end as attachments,
                   o.date_won,
                   api_time(o.date_lost) as date_lost,
                   os.type = 'active' and greatest(o.date_updated, l.last_communication_date)
                       < (p.today - 30)::timestamp at time zone 'UTC' as is_stalled,
                   null::json as stall_status, null::json as suggested_action,
                   trim(cu.first_name || ' ' || cu.last_name) as created_by_name,
                   trim(uu.first_name || ' ' || uu.last_name) as updated_by_name,
                   own.by_name as custom, o.created_by, o.updated_by,
                   api_time(o.date_created) as date_created, api_time(o.date_updated) as date_updated
        ) fields
        where o.organization_id = p.organization_id and o.lead_id = l.id
    ) opportunities
    cross join lateral (
        select coalesce(json_agg(fields order by t.date_created, t.id), '[]') as objects
        from task t
        left join contact c on c.organization_id = p.organization_id and c.id = t.contact_id
        left join app_user au on au.organization_id = p.organization_id and au.id = t.assigned_to
        left join app_user cu on cu.organization_id = p.organization_id and cu.id = t.created_by
        left join app_user uu on uu.organization_id = p.organization_id and uu.id = t.updated_by
        cross join lateral (
            select case when t.date_only then (t.date at time zone 'UTC')::date::text
                        else api_time(t.date) end as day
        ) due
        cross join lateral (
            select t.id, org.id as organization_id, t._type, t.lead_id, shown.name as lead_name,
                   t.contact_id,
                   case when c.id is not null then
                       coalesce(nullif(c.name, ''), c.emails -> 0 ->> 'email',
                                c.phones -> 0 ->> 'phone', '')
                   end as contact_name,
                   t.assigned_to, trim(au.first_name || ' ' || au.last_name) as assigned_to_name,
                   t.text, t.priority, due.day as date,
                   case when not t.is_dateless then due.day end as due_date,
                   t.is_dateless, t.is_complete,
                   case when t.date >= (p.today + 1)::timestamp at time zone 'UTC'
                       then 'future' else 'inbox' end as view,
                   t.object_type, t.object_id,
                   trim(cu.first_name || ' ' || cu.last_name) as created_by_name,
                   trim(uu.first_name || ' ' || uu.last_name) as updated_by_name,
                   t.created_by, t.updated_by,
                   api_time(t.date_created) as date_created, api_time(t.date_updated) as date_updated
        ) fields
        where t.organization_id = p.organization_id and t.lead_id = l.id and not t.is_complete
    ) tasks
    cross join lateral (
        select l.id, org.id as organization_id, l.name, shown.name as display_name,
               l.account_id, l.description,
               l.url, p.public_url || '/lead/' || l.id || '/' as html_url,
               l.status_id, s.label as status_label, l.addresses,
               contacts.ids as contact_ids, contacts.objects as contacts,
               opportunities.objects as opportunities, tasks.objects as tasks,
               '[]'::json as integration_links,
               trim(cu.first_name || ' ' || cu.last_name) as created_by_name,
               trim(uu.first_name || ' ' || uu.last_name) as updated_by_name,
               own.by_name as custom, l.created_by, l.updated_by,
               api_time(l.date_created) as date_created, api_time(l.date_updated) as date_updated
    ) answer
), '') || '],"has_more":' || (select count(*) > 50 from page)::text
       || ',"total_results":'
       || (select k.lead_total from event_clock k join p using (organization_id))::text || '}';
