-- What every table stands on: the application's role, the tenant of a transaction, the spelling of time.

do $$
begin
    if not exists (select from pg_roles where rolname = 'clinch_app') then
        create role clinch_app nologin;
    end if;
    -- Whoever may not create roles was given this one beforehand.
    if not pg_has_role(current_user, 'clinch_app', 'member') then
        execute format('grant clinch_app to %I', current_user);
    end if;
end $$;

grant usage on schema public to clinch_app;

create extension if not exists pg_trgm;

-- The tenant of this transaction; '' is what SET LOCAL leaves behind once it has ended.
create function app_org() returns uuid language sql stable parallel safe
    as $$ select nullif(current_setting('app.organization_id', true), '')::uuid $$;

-- Times as the API prints them: UTC, six digits, an explicit offset.
create function api_time(t timestamptz) returns text language sql stable parallel safe
    as $$ select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') $$;

-- An amount in the smallest unit as people write it: $1,250.50 monthly.
create function api_money(cents bigint, symbol text, period text) returns text
    language sql stable parallel safe as $$
    select case when cents < 0 then '-' else '' end || symbol
        || to_char(abs(cents) / 100, 'FM999,999,999,999,999,990')
        || case when cents % 100 <> 0 then '.' || lpad((abs(cents) % 100)::text, 2, '0') else '' end
        || case when period in ('monthly', 'annual') then ' ' || period else '' end
$$;

-- Part of the message that begins a transaction: a key that was revoked, or whose rights changed,
-- is refused before anything is read. The table comes with the next file.
create function assert_credential(credential_id text, known_version bigint) returns void
    language plpgsql stable as $$
begin
    if not exists (
        select from credential c where c.id = credential_id and c.version = known_version
        and c.organization_id = app_org()
        and (c.expires_at is null or c.expires_at > now())
    ) then
        raise exception 'the credential has changed' using errcode = 'invalid_authorization_specification';
    end if;
end $$;
