-- Migrations run before anything else does: nobody waits to write.
-- squawk-ignore require-concurrent-index-creation
create index activity__type_activity_at_id on activity using btree (organization_id, _type, activity_at desc, id desc);
