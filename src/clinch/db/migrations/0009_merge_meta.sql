alter table event add column meta jsonb;
