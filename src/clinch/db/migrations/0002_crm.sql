create table organization_directory (
    organization_id uuid not null,
    id text collate "C" not null,
    name text not null,
    constraint organization_directory_pkey primary key (organization_id)
);

create unique index organization_directory_id on organization_directory using btree (id);

grant select, insert on organization_directory to clinch_app;

create table login (
    user_id text collate "C" not null,
    email text not null,
    password_hash text,
    organization_ids uuid[] not null,
    constraint login_pkey primary key (user_id)
);

create unique index login_email on login using btree (lower(email));

grant select, insert, update on login to clinch_app;

create table sign_in_failure (
    address bytea not null,
    failures bigint not null,
    last_at timestamp with time zone not null,
    constraint sign_in_failure_pkey primary key (address)
);

grant select, insert, update, delete on sign_in_failure to clinch_app;

create table credential (
    id text collate "C" not null,
    organization_id uuid not null,
    user_id text collate "C" not null,
    hash bytea not null,
    version bigint not null default 1,
    expires_at timestamp with time zone,
    constraint credential_pkey primary key (id)
);

create index credential_user_id on credential using btree (organization_id, user_id);

grant select, insert, update, delete on credential to clinch_app;

create table event_clock (
    organization_id uuid not null,
    seq bigint not null,
    lead_total bigint not null default 0,
    opportunity_total bigint not null default 0,
    constraint event_clock_pkey primary key (organization_id)
);

alter table event_clock enable row level security;

create policy event_clock_tenant on event_clock using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on event_clock to clinch_app;

create table event (
    organization_id uuid not null,
    seq bigint not null,
    id text collate "C" not null,
    at timestamp with time zone not null,
    object_type text not null,
    object_id text collate "C" not null,
    lead_id text collate "C",
    action text not null,
    changed text[] not null,
    user_id text collate "C",
    api_key_id text collate "C",
    grant_id text collate "C",
    on_behalf_of text collate "C",
    request_id text collate "C",
    source text not null,
    reason text,
    method text,
    path text,
    digest bytea not null,
    constraint event_pkey primary key (organization_id, seq)
);

create unique index event_id on event using btree (organization_id, id);

create index event_object_id_seq on event using btree (organization_id, object_id, seq);

create index event_lead_id_seq on event using btree (organization_id, lead_id, seq);

alter table event enable row level security;

create policy event_tenant on event using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert on event to clinch_app;

create table event_body (
    organization_id uuid not null,
    seq bigint not null,
    before json,
    after json,
    salt bytea not null,
    constraint event_body_pkey primary key (organization_id, seq)
);

alter table event_body enable row level security;

create policy event_body_tenant on event_body using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, delete on event_body to clinch_app;

create table event_cursor (
    organization_id uuid not null,
    follower text not null,
    seq bigint not null,
    constraint event_cursor_pkey primary key (organization_id, follower)
);

alter table event_cursor enable row level security;

create policy event_cursor_tenant on event_cursor using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on event_cursor to clinch_app;

create table event_seal (
    organization_id uuid not null,
    seq bigint not null,
    chain bytea not null,
    constraint event_seal_pkey primary key (organization_id, seq)
);

alter table event_seal enable row level security;

create policy event_seal_tenant on event_seal using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert on event_seal to clinch_app;

create table search_text (
    organization_id uuid not null,
    id text collate "C" not null,
    lead_id text collate "C" not null,
    text text not null,
    constraint search_text_pkey primary key (organization_id, id)
);

create index search_text_trigrams on search_text using gin (text gin_trgm_ops);

create index search_text_lead_id on search_text using btree (organization_id, lead_id);

alter table search_text enable row level security;

create policy search_text_tenant on search_text using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on search_text to clinch_app;

-- What conditions search in. `like` is not leakproof, so below a policy it would never use the
-- index; the owner of this view is exempt from the policy, and the view itself holds the tenant.
-- A plain `=` would be taken for the same comparison as that of the policies of joined tables, and
-- come before `like` as they do; `any` says the same and stands for itself.
create view searched_text as
    select organization_id, id, lead_id, text from search_text
    where organization_id = any (array[app_org()]);

grant select on searched_text to clinch_app;

create table api_key (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    user_id text collate "C" not null,
    label text not null,
    constraint api_key_pkey primary key (organization_id, id)
);

create index api_key_user_id on api_key using btree (organization_id, user_id);

alter table api_key enable row level security;

create policy api_key_tenant on api_key using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on api_key to clinch_app;

create table contact (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    lead_id text collate "C" not null,
    name text not null,
    title text not null,
    emails jsonb not null,
    phones jsonb not null,
    urls jsonb not null,
    timezone text,
    custom jsonb not null,
    constraint contact_pkey primary key (organization_id, id)
);

create index contact_lead_id_date_created_id on contact using btree (organization_id, lead_id, date_created, id);

create index contact_date_created_id on contact using btree (organization_id, date_created desc, id desc);

alter table contact enable row level security;

create policy contact_tenant on contact using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on contact to clinch_app;

create table custom_field (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    description text,
    type text not null,
    choices jsonb,
    accepts_multiple_values boolean not null,
    editable_with_roles jsonb not null,
    referenced_custom_type_id text,
    back_reference_is_visible boolean,
    kind text not null,
    position bigint not null,
    constraint custom_field_pkey primary key (organization_id, id)
);

create unique index custom_field_kind_name on custom_field using btree (organization_id, kind, name);

create index custom_field_kind_position_id on custom_field using btree (organization_id, kind, position, id);

alter table custom_field enable row level security;

create policy custom_field_tenant on custom_field using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on custom_field to clinch_app;

create table lead (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    description text not null,
    url text,
    status_id text collate "C" not null,
    addresses jsonb not null,
    custom jsonb not null,
    constraint lead_pkey primary key (organization_id, id)
);

create index lead_date_updated_id on lead using btree (organization_id, date_updated desc, id desc);

create index lead_date_created_id on lead using btree (organization_id, date_created desc, id desc);

create index lead_status_id on lead using btree (organization_id, status_id);

alter table lead enable row level security;

create policy lead_tenant on lead using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on lead to clinch_app;

create table lead_status (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    label text not null,
    color text,
    position bigint not null,
    constraint lead_status_pkey primary key (organization_id, id)
);

create unique index lead_status_label on lead_status using btree (organization_id, lower(label));

create index lead_status_position_id on lead_status using btree (organization_id, position, id);

alter table lead_status enable row level security;

create policy lead_status_tenant on lead_status using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on lead_status to clinch_app;

create table membership (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    user_id text collate "C" not null,
    role_id text not null,
    active boolean not null,
    constraint membership_pkey primary key (organization_id, id)
);

create unique index membership_user_id on membership using btree (organization_id, user_id);

alter table membership enable row level security;

create policy membership_tenant on membership using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on membership to clinch_app;

create table opportunity (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    lead_id text collate "C" not null,
    contact_id text collate "C",
    status_id text collate "C" not null,
    user_id text collate "C",
    value bigint,
    value_period text not null,
    confidence bigint not null,
    note text not null,
    note_html text,
    date_won date,
    date_lost timestamp with time zone,
    custom jsonb not null,
    constraint opportunity_pkey primary key (organization_id, id)
);

create index opportunity_date_updated_id on opportunity using btree (organization_id, date_updated desc, id desc);

create index opportunity_lead_id_date_created_id on opportunity using btree (organization_id, lead_id, date_created, id);

create index opportunity_contact_id on opportunity using btree (organization_id, contact_id);

create index opportunity_status_id on opportunity using btree (organization_id, status_id);

create index opportunity_user_id on opportunity using btree (organization_id, user_id);

alter table opportunity enable row level security;

create policy opportunity_tenant on opportunity using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on opportunity to clinch_app;

create table opportunity_status (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    label text not null,
    type text not null,
    pipeline_id text collate "C" not null,
    position bigint not null,
    constraint opportunity_status_pkey primary key (organization_id, id)
);

create index opportunity_status_pipeline_id_position_id on opportunity_status using btree (organization_id, pipeline_id, position, id);

alter table opportunity_status enable row level security;

create policy opportunity_status_tenant on opportunity_status using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on opportunity_status to clinch_app;

create table organization (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    currency text not null,
    currency_symbol text not null,
    country text not null,
    constraint organization_pkey primary key (organization_id, id)
);

alter table organization enable row level security;

create policy organization_tenant on organization using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on organization to clinch_app;

create table pipeline (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    constraint pipeline_pkey primary key (organization_id, id)
);

alter table pipeline enable row level security;

create policy pipeline_tenant on pipeline using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on pipeline to clinch_app;

create table task (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    _type text not null,
    lead_id text collate "C",
    contact_id text collate "C",
    assigned_to text collate "C",
    text text not null,
    priority text,
    date timestamp with time zone,
    date_only boolean not null,
    is_dateless boolean not null,
    is_complete boolean not null,
    object_type text,
    object_id text,
    constraint task_pkey primary key (organization_id, id)
);

create index task_assigned_to_is_complete_date_id on task using btree (organization_id, assigned_to, is_complete, date, id);

create index task_date_id on task using btree (organization_id, date, id);

create index task_lead_id_date_created_id on task using btree (organization_id, lead_id, date_created, id);

create index task_contact_id on task using btree (organization_id, contact_id);

alter table task enable row level security;

create policy task_tenant on task using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on task to clinch_app;

create table app_user (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    email text not null,
    first_name text not null,
    last_name text not null,
    image text,
    last_used_timezone text,
    email_verified_at timestamp with time zone,
    constraint app_user_pkey primary key (organization_id, id)
);

create unique index app_user_email on app_user using btree (organization_id, lower(email));

alter table app_user enable row level security;

create policy app_user_tenant on app_user using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on app_user to clinch_app;

grant SELECT on schema_migration to clinch_app;

alter table api_key add constraint api_key_user_id_fkey foreign key (organization_id, user_id) references app_user (organization_id, id);

alter table contact add constraint contact_lead_id_fkey foreign key (organization_id, lead_id) references lead (organization_id, id);

alter table lead add constraint lead_status_id_fkey foreign key (organization_id, status_id) references lead_status (organization_id, id);

alter table membership add constraint membership_user_id_fkey foreign key (organization_id, user_id) references app_user (organization_id, id);

alter table opportunity add constraint opportunity_lead_id_fkey foreign key (organization_id, lead_id) references lead (organization_id, id);

alter table opportunity add constraint opportunity_contact_id_fkey foreign key (organization_id, contact_id) references contact (organization_id, id);

alter table opportunity add constraint opportunity_status_id_fkey foreign key (organization_id, status_id) references opportunity_status (organization_id, id);

alter table opportunity add constraint opportunity_user_id_fkey foreign key (organization_id, user_id) references app_user (organization_id, id);

alter table opportunity_status add constraint opportunity_status_pipeline_id_fkey foreign key (organization_id, pipeline_id) references pipeline (organization_id, id);

alter table task add constraint task_lead_id_fkey foreign key (organization_id, lead_id) references lead (organization_id, id);

alter table task add constraint task_contact_id_fkey foreign key (organization_id, contact_id) references contact (organization_id, id);

alter table task add constraint task_assigned_to_fkey foreign key (organization_id, assigned_to) references app_user (organization_id, id);
