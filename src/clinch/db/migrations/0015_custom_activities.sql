-- Migrations run before anything else does: nobody waits to write. All rows have null in both columns.
-- squawk-ignore-file adding-foreign-key-constraint, constraint-missing-not-valid, require-concurrent-index-creation

alter table activity add column custom jsonb;

alter table activity add column custom_activity_type_id text collate "C";

alter table activity add constraint activity_custom_activity_type_id_fkey foreign key (organization_id, custom_activity_type_id) references custom_activity_type (organization_id, id);

create index activity_custom_activity_type_id_activity_at_id on activity using btree (organization_id, custom_activity_type_id, activity_at desc, id desc) where (custom_activity_type_id is not null);
