-- The histories of leads that are older than these begin with their making, too. A lead's id is
-- its own, so what follows the prefix is one that no other activity has.
insert into activity (
    organization_id, id, created_by, updated_by, date_created, date_updated, _type, lead_id,
    user_id, users, activity_at, data
)
select l.organization_id, 'acti_' || substr(l.id, 6), l.created_by, l.created_by, l.date_created,
       l.date_created, 'Created', l.id, u.id, '[]', l.date_created,
       case when exists (
           select from event e
           where e.organization_id = l.organization_id and e.object_id = l.id
               and e.action = 'created' and e.source = 'api'
       ) then jsonb_build_object('source', 'api') else '{}' end
from lead l
left join app_user u on u.organization_id = l.organization_id and u.id = l.created_by
where not exists (
    select from activity a
    where a.organization_id = l.organization_id and a.lead_id = l.id and a._type = 'Created'
);
