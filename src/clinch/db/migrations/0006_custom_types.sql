-- The definitions of custom fields are few: what rewrites, scans or locks their table takes no time.
-- squawk-ignore-file adding-foreign-key-constraint, changing-column-type, constraint-missing-not-valid, require-concurrent-index-creation, require-concurrent-index-deletion

create table custom_activity_type (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    description text,
    api_create_only boolean not null,
    editable_with_roles jsonb not null,
    is_archived boolean not null,
    constraint custom_activity_type_pkey primary key (organization_id, id)
);

alter table custom_activity_type enable row level security;

create policy custom_activity_type_tenant on custom_activity_type using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on custom_activity_type to clinch_app;

create table custom_field_association (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    custom_field_id text collate "C" not null,
    object_type text not null,
    custom_activity_type_id text collate "C",
    custom_object_type_id text collate "C",
    editable_with_roles jsonb not null,
    required boolean not null,
    position bigint not null,
    constraint custom_field_association_pkey primary key (organization_id, id)
);

create unique index custom_field_association_place on custom_field_association using btree (organization_id, custom_field_id, coalesce(custom_activity_type_id, custom_object_type_id, ''), object_type);

create index custom_field_association_custom_activity_type_id on custom_field_association using btree (organization_id, custom_activity_type_id);

create index custom_field_association_custom_object_type_id on custom_field_association using btree (organization_id, custom_object_type_id);

alter table custom_field_association enable row level security;

create policy custom_field_association_tenant on custom_field_association using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on custom_field_association to clinch_app;

create table custom_object (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    lead_id text collate "C" not null,
    custom_object_type_id text collate "C" not null,
    name text not null,
    custom jsonb not null,
    constraint custom_object_pkey primary key (organization_id, id)
);

create index custom_object_lead_id_date_created_id on custom_object using btree (organization_id, lead_id, date_created, id);

create index custom_object_custom_object_type_id on custom_object using btree (organization_id, custom_object_type_id);

alter table custom_object enable row level security;

create policy custom_object_tenant on custom_object using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on custom_object to clinch_app;

create table custom_object_type (
    organization_id uuid not null,
    id text collate "C" not null,
    created_by text collate "C",
    updated_by text collate "C",
    date_created timestamp with time zone not null,
    date_updated timestamp with time zone not null,
    name text not null,
    description text,
    api_create_only boolean not null,
    editable_with_roles jsonb not null,
    is_archived boolean not null,
    name_plural text not null,
    constraint custom_object_type_pkey primary key (organization_id, id)
);

alter table custom_object_type enable row level security;

create policy custom_object_type_tenant on custom_object_type using (organization_id = app_org()) with check (organization_id = app_org());

grant select, insert, update, delete on custom_object_type to clinch_app;

alter table custom_field add column custom_activity_type_id text collate "C";

alter table custom_field add column custom_object_type_id text collate "C";

-- There were no types yet: whatever stands here refers to nothing.
update custom_field set referenced_custom_type_id = null where referenced_custom_type_id is not null;

alter table custom_field alter column referenced_custom_type_id type text collate "C";

alter table custom_field add column required boolean;

alter table custom_field add constraint custom_field_custom_activity_type_id_fkey FOREIGN KEY (organization_id, custom_activity_type_id) REFERENCES custom_activity_type(organization_id, id);

alter table custom_field add constraint custom_field_custom_object_type_id_fkey FOREIGN KEY (organization_id, custom_object_type_id) REFERENCES custom_object_type(organization_id, id);

alter table custom_field add constraint custom_field_referenced_custom_type_id_fkey FOREIGN KEY (organization_id, referenced_custom_type_id) REFERENCES custom_object_type(organization_id, id);

CREATE INDEX custom_field_custom_activity_type_id ON custom_field USING btree (organization_id, custom_activity_type_id);

CREATE INDEX custom_field_custom_object_type_id ON custom_field USING btree (organization_id, custom_object_type_id);

drop index custom_field_kind_name;

CREATE UNIQUE INDEX custom_field_name ON custom_field USING btree (organization_id, kind, COALESCE(custom_activity_type_id, custom_object_type_id, ''::text), name);

CREATE INDEX custom_field_referenced_custom_type_id ON custom_field USING btree (organization_id, referenced_custom_type_id);

alter table custom_field_association add constraint custom_field_association_custom_field_id_fkey foreign key (organization_id, custom_field_id) references custom_field (organization_id, id);

alter table custom_field_association add constraint custom_field_association_custom_activity_type_id_fkey foreign key (organization_id, custom_activity_type_id) references custom_activity_type (organization_id, id);

alter table custom_field_association add constraint custom_field_association_custom_object_type_id_fkey foreign key (organization_id, custom_object_type_id) references custom_object_type (organization_id, id);

alter table custom_object add constraint custom_object_lead_id_fkey foreign key (organization_id, lead_id) references lead (organization_id, id);

alter table custom_object add constraint custom_object_custom_object_type_id_fkey foreign key (organization_id, custom_object_type_id) references custom_object_type (organization_id, id);
