-- Migrations run in a transaction, before anything else does; nobody waits to write.
-- squawk-ignore require-concurrent-index-creation
create index event_user_id_seq on event using btree (organization_id, user_id, seq);

-- squawk-ignore require-concurrent-index-creation
create index event_request_id_seq on event using btree (organization_id, request_id, seq);
