create table activity (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    _type text not null,
    lead_id text collate "C" not null,
    contact_id text collate "C",
    user_id text collate "C",
    users jsonb not null,
    object_id text collate "C",
    activity_at timestamp with time zone,
    direction text,
    status text,
    data jsonb not null,
    duration bigint,
    note text,
    note_html text,
    constraint activity_pkey primary key (organization_id, id)
);

-- Texts go out of line whatever their length, so that a look at many activities reads none of them.
alter table activity set (toast_tuple_target = 128);

alter table activity alter column data set storage main;

alter table activity alter column users set storage main;

create index activity_lead_id_activity_at_id on activity using btree (organization_id, lead_id, activity_at desc, id desc);

create index activity_date_created_id on activity using btree (organization_id, date_created desc, id desc);

create index activity__type_date_created_id on activity using btree (organization_id, _type, date_created desc, id desc);

create index activity_object_id on activity using btree (organization_id, object_id) where (object_id IS NOT NULL);

create index activity_contact_id on activity using btree (organization_id, contact_id);

create index activity_user_id on activity using btree (organization_id, user_id);

alter table activity enable row level security;

create policy activity_tenant on activity using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on activity to clinch_app;

alter table lead add column active_opportunity_value bigint not null default 0;

alter table lead add column last_call_date timestamp with time zone;

alter table lead add column last_communication_date timestamp with time zone;

alter table lead add column last_incoming_call_date timestamp with time zone;

alter table lead add column last_lead_status_change_date timestamp with time zone;

alter table lead add column last_note_date timestamp with time zone;

alter table lead add column last_outgoing_call_date timestamp with time zone;

alter table lead add column next_task_date timestamp with time zone;

alter table lead add column num_active_opportunities bigint not null default 0;

alter table lead add column num_calls bigint not null default 0;

alter table lead add column num_incoming_calls bigint not null default 0;

alter table lead add column num_lost_opportunities bigint not null default 0;

alter table lead add column num_notes bigint not null default 0;

alter table lead add column num_opportunities bigint not null default 0;

alter table lead add column num_outgoing_calls bigint not null default 0;

alter table lead add column num_tasks bigint not null default 0;

alter table lead add column num_won_opportunities bigint not null default 0;

alter table lead add column won_opportunity_value bigint not null default 0;

alter table activity add constraint activity_lead_id_fkey foreign key (organization_id, lead_id) references lead (organization_id, id);

alter table activity add constraint activity_contact_id_fkey foreign key (organization_id, contact_id) references contact (organization_id, id);

alter table activity add constraint activity_user_id_fkey foreign key (organization_id, user_id) references app_user (organization_id, id);

-- What there is already, summed up.
update lead l set num_opportunities = o.number, num_active_opportunities = o.active,
    num_won_opportunities = o.won, num_lost_opportunities = o.lost,
    active_opportunity_value = o.active_value, won_opportunity_value = o.won_value
from (
    select o.organization_id, o.lead_id, count(*) as number,
        count(*) filter (where s.type = 'active') as active,
        count(*) filter (where s.type = 'won') as won,
        count(*) filter (where s.type = 'lost') as lost,
        coalesce(sum(o.value * case o.value_period when 'monthly' then 12 else 1 end)
            filter (where s.type = 'active'), 0) as active_value,
        coalesce(sum(o.value * case o.value_period when 'monthly' then 12 else 1 end)
            filter (where s.type = 'won'), 0) as won_value
    from opportunity o
    join opportunity_status s on s.organization_id = o.organization_id and s.id = o.status_id
    group by o.organization_id, o.lead_id
) o
where o.organization_id = l.organization_id and o.lead_id = l.id;

update lead l set num_tasks = t.number, next_task_date = t.next
from (
    select t.organization_id, t.lead_id, count(*) as number, min(t.date) as next
    from task t where not t.is_complete group by t.organization_id, t.lead_id
) t
where t.organization_id = l.organization_id and t.lead_id = l.id;
