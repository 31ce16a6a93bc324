create table comment (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    object_id text collate "C" not null,
    thread_id text collate "C" not null,
    lead_id text collate "C" not null,
    body text not null,
    mentions jsonb not null,
    is_removed boolean not null,
    removed_by text collate "C",
    removed_at timestamp with time zone,
    constraint comment_pkey primary key (organization_id, id)
);

create index comment_object_id_date_created_id on comment using btree (organization_id, object_id, date_created, id);

create index comment_thread_id_date_created_id on comment using btree (organization_id, thread_id, date_created, id);

create index comment_lead_id on comment using btree (organization_id, lead_id);

alter table comment enable row level security;

create policy comment_tenant on comment using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on comment to clinch_app;

create table comment_thread (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    object_id text collate "C" not null,
    object_type text not null,
    lead_id text collate "C" not null,
    activity_id text collate "C",
    opportunity_id text collate "C",
    num_comments bigint not null default 0,
    constraint comment_thread_pkey primary key (organization_id, id)
);

create unique index comment_thread_object_id on comment_thread using btree (organization_id, object_id);

create index comment_thread_date_created_id on comment_thread using btree (organization_id, date_created desc, id desc);

create index comment_thread_lead_id on comment_thread using btree (organization_id, lead_id);

create index comment_thread_activity_id on comment_thread using btree (organization_id, activity_id);

create index comment_thread_opportunity_id on comment_thread using btree (organization_id, opportunity_id);

alter table comment_thread enable row level security;

create policy comment_thread_tenant on comment_thread using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on comment_thread to clinch_app;

alter table opportunity add column comment_thread_id text;

alter table comment add constraint comment_thread_id_fkey foreign key (organization_id, thread_id) references comment_thread (organization_id, id);

alter table comment add constraint comment_lead_id_fkey foreign key (organization_id, lead_id) references lead (organization_id, id);

alter table comment_thread add constraint comment_thread_lead_id_fkey foreign key (organization_id, lead_id) references lead (organization_id, id);

alter table comment_thread add constraint comment_thread_activity_id_fkey foreign key (organization_id, activity_id) references activity (organization_id, id);

alter table comment_thread add constraint comment_thread_opportunity_id_fkey foreign key (organization_id, opportunity_id) references opportunity (organization_id, id);
