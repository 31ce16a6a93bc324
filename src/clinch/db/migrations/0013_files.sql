-- Files and their parts, what holds them, and the attachments of opportunities.
-- squawk-ignore-file ban-drop-default

create table file (
    organization_id uuid not null,
    id text collate "C" not null,
    user_id text collate "C" not null,
    filename text not null,
    content_type text not null,
    uploaded_at timestamp with time zone not null,
    size bigint,
    image_type text,
    kept_until timestamp with time zone,
    constraint file_pkey primary key (organization_id, id)
);

create index file_kept_until on file using btree (organization_id, kept_until) where (kept_until IS NOT NULL);

alter table file enable row level security;

create policy file_tenant on file using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on file to clinch_app;

create table file_part (
    organization_id uuid not null,
    file_id text collate "C" not null,
    number bigint not null,
    content bytea not null,
    constraint file_part_pkey primary key (organization_id, file_id, number)
);

alter table file_part enable row level security;

create policy file_part_tenant on file_part using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, delete on file_part to clinch_app;

create table file_use (
    organization_id uuid not null,
    object_id text collate "C" not null,
    file_id text collate "C" not null,
    constraint file_use_pkey primary key (organization_id, object_id, file_id)
);

create index file_use_file_id on file_use using btree (organization_id, file_id);

alter table file_use enable row level security;

create policy file_use_tenant on file_use using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, delete on file_use to clinch_app;

alter table opportunity add column attachments jsonb not null default '[]';

alter table opportunity alter column attachments drop default;

alter table file_part add constraint file_part_file_id_fkey foreign key (organization_id, file_id) references file (organization_id, id);

alter table file_use add constraint file_use_file_id_fkey foreign key (organization_id, file_id) references file (organization_id, id);
