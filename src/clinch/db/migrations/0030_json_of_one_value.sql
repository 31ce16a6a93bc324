-- The JSON of one value. PostgreSQL 17 and newer have it built in, and look up how to write a type
-- once a statement; before, it is what it is in one word less.
do $$ begin
    if current_setting('server_version_num')::int < 170000 then
        create function "json_scalar"(value anyelement) returns json
            language sql stable parallel safe as 'select to_json(value)';
    end if;
end $$;
