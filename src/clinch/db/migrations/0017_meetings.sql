alter table activity add column user_note text;

alter table lead add column num_meetings bigint not null default 0;
