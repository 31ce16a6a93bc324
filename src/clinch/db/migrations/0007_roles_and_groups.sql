-- Migrations run before anything else does: nobody waits to write. Roles and memberships are few.
-- squawk-ignore-file adding-foreign-key-constraint, ban-drop-default, changing-column-type, constraint-missing-not-valid, require-concurrent-index-creation

create table user_group (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    members jsonb not null,
    constraint user_group_pkey primary key (organization_id, id)
);

create unique index user_group_name on user_group using btree (organization_id, lower(name));

alter table user_group enable row level security;

create policy user_group_tenant on user_group using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on user_group to clinch_app;

create table role (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    editable boolean not null,
    permissions jsonb not null,
    visibility_user_lcf_ids jsonb,
    visibility_user_lcf_behavior text,
    constraint role_pkey primary key (organization_id, id)
);

create index role_date_created_id on role using btree (organization_id, date_created, id);

alter table role enable row level security;

create policy role_tenant on role using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on role to clinch_app;

-- The roles that every organization has, for those that are there already.
insert into role (
    organization_id, id, date_created, date_updated, name, editable, permissions
)
select o.organization_id, built_in.id, '0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z',
       built_in.name, false, built_in.permissions
from organization_directory o cross join (values
    ('admin', 'Admin', '["bulk_delete", "bulk_edit", "bulk_email", "bulk_import", "bulk_sequence_subscriptions", "call_coach_barge", "call_coach_listen", "calling", "delete_leads", "delete_own_activities", "delete_own_opportunities", "delete_own_tasks", "export", "manage_customizations", "manage_email_sequences", "manage_group_numbers", "manage_organization", "manage_others_activities", "manage_others_opportunities", "manage_others_tasks", "manage_team_email_templates", "manage_team_smart_views", "merge_leads", "view_all_leads"]'::jsonb),
    ('superuser', 'Super User', '["bulk_delete", "bulk_edit", "bulk_email", "bulk_import", "bulk_sequence_subscriptions", "call_coach_barge", "call_coach_listen", "calling", "delete_leads", "delete_own_activities", "delete_own_opportunities", "delete_own_tasks", "export", "manage_customizations", "manage_email_sequences", "manage_group_numbers", "manage_others_activities", "manage_others_opportunities", "manage_others_tasks", "manage_team_email_templates", "manage_team_smart_views", "merge_leads", "view_all_leads"]'::jsonb),
    ('user', 'User', '["bulk_email", "bulk_import", "bulk_sequence_subscriptions", "calling", "delete_leads", "delete_own_activities", "delete_own_opportunities", "delete_own_tasks", "manage_others_activities", "manage_others_opportunities", "manage_others_tasks", "merge_leads", "view_all_leads"]'::jsonb),
    ('restricteduser', 'Restricted User', '["calling", "delete_own_activities", "delete_own_opportunities", "delete_own_tasks", "view_all_leads"]'::jsonb)
) built_in (id, name, permissions);

alter table membership add column auto_record_calls text not null default 'unset';

alter table membership alter column auto_record_calls drop default;

alter table membership add column hangup_recording_url text;

alter table membership add column may_workflows_impersonate boolean not null default 'false';

alter table membership alter column may_workflows_impersonate drop default;

alter table membership alter column role_id type text collate "C";

alter table membership add column track_email_opens boolean not null default 'true';

alter table membership alter column track_email_opens drop default;

alter table organization add column enable_unsubscribe_link boolean not null default 'false';

alter table organization alter column enable_unsubscribe_link drop default;

alter table organization add column require_unsubscribe_link boolean not null default 'false';

alter table organization alter column require_unsubscribe_link drop default;

alter table membership add constraint membership_role_id_fkey FOREIGN KEY (organization_id, role_id) REFERENCES role(organization_id, id);

CREATE INDEX lead_custom ON lead USING gin (custom jsonb_path_ops);

CREATE INDEX membership_role_id ON membership USING btree (organization_id, role_id);

-- Whom leads are assigned to. Row-level security would keep the conditions off the index, as it does
-- with `searched_text`: the view's owner is exempt from it, and the view itself holds the tenant.
create view assigned_lead as
    select organization_id, id, custom from lead
    where organization_id = any (array[app_org()]);

grant select on assigned_lead to clinch_app;
