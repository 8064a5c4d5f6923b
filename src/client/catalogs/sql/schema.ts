/** What a database has to know at least for this Lumina; `lumina.version()` tells. */
export const version = 1

/**
 * The shared catalog: tables, and the functions that are all a client ever calls. It may be applied again, at any time.
 *
 * The rules are those of `rows.ts`. Whatever changes a library takes that library's lock first, so that two batches never wait for
 * one another in a circle; a batch of 1,000 holds it for some 20 ms. Unique constraints stand behind it. Each call is one statement and
 * leaves nothing in its session, so that a pooler may give the next call to another one.
 */
export const schema = `
create schema if not exists lumina;

create table if not exists lumina.library (
  id uuid primary key default gen_random_uuid(),
  url text not null unique,
  epoch bigint not null default 1
);

create table if not exists lumina.photos (
  library uuid not null references lumina.library (id),
  key text collate "C" not null,
  digest bytea not null check (length(digest) = 32),
  name text not null,
  bytes bigint not null,
  kind text not null,
  sidecar boolean not null,
  head text,
  modified_ms double precision,
  width integer,
  height integer,
  taken_at text,
  camera text,
  "user" text default (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'),
  recorded_at timestamptz not null default now(),
  primary key (library, key)
);
create unique index if not exists photos_digest on lumina.photos (library, digest) where not sidecar;
create index if not exists photos_sidecar on lumina.photos (library, digest) where sidecar;
create index if not exists photos_probe on lumina.photos (library, bytes, head) where head is not null;

-- What is under way. A row keeps its key for its content even when its lease has run out; \`current\`: no other transfer of the
-- content has begun since. \`call\` and \`place\`: the wish that it was granted to, so that a lost answer can be given again.
create table if not exists lumina.claim (
  library uuid not null references lumina.library (id),
  key text collate "C" not null,
  digest bytea not null check (length(digest) = 32),
  sidecar boolean not null,
  holder text not null,
  until_ms bigint not null,
  current boolean not null default true,
  call uuid not null,
  place integer not null,
  primary key (library, key)
);
create unique index if not exists claim_current on lumina.claim (library, digest) where not sidecar and current;
create index if not exists claim_digest on lumina.claim (library, digest);
create index if not exists claim_holder on lumina.claim (library, holder);

create or replace function lumina.version() returns integer language sql immutable as 'select ${version}';

-- The one clock of all leases.
create or replace function lumina.now_ms() returns bigint language sql volatile
  as $$ select floor(extract(epoch from clock_timestamp()) * 1000)::bigint $$;

create or replace function lumina.library_id(p_library text) returns uuid language plpgsql volatile set search_path = '' as $$
declare
  found_id uuid;
begin
  select id into found_id from lumina.library where url = p_library;
  if found_id is null then
    insert into lumina.library (url) values (p_library) on conflict (url) do nothing;
    select id into found_id from lumina.library where url = p_library;
  end if;
  return found_id;
end $$;

-- The library, locked until the end of the transaction. Whoever waits too long gives up and comes again.
create or replace function lumina.enter(p_library text) returns uuid language plpgsql volatile
  set search_path = '' set lock_timeout = '20s' as $$
declare
  library_id uuid := lumina.library_id(p_library);
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(library_id::text, 7041));
  return library_id;
end $$;

create or replace function lumina.identity(p_library text) returns jsonb language plpgsql volatile set search_path = '' as $$
declare
  library_id uuid := lumina.library_id(p_library);
begin
  return (select jsonb_build_object('id', id, 'epoch', epoch) from lumina.library where id = library_id);
end $$;

create or replace function lumina.known(p_library text, p_digests jsonb) returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(encode(p.digest, 'hex'), p.key), '{}')
  from (select distinct decode(value, 'hex') as digest from jsonb_array_elements_text(p_digests) as value) as asked
  join lumina.photos p on p.digest = asked.digest and not p.sidecar
  where p.library = (select id from lumina.library where url = p_library)
$$;

create or replace function lumina.located(p_library text, p_digests jsonb) returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(encode(digest, 'hex'), key), '{}') from (
    select distinct on (p.digest) p.digest, p.key
    from (select distinct decode(value, 'hex') as digest from jsonb_array_elements_text(p_digests) as value) as asked
    join lumina.photos p on p.digest = asked.digest
    where p.library = (select id from lumina.library where url = p_library)
    order by p.digest, p.sidecar, p.key
  ) as located
$$;

create or replace function lumina.resembling(p_library text, p_probes jsonb) returns jsonb language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(exists (
    select from lumina.photos p
    where p.library = (select id from lumina.library where url = p_library)
      and p.bytes = (probe.value ->> 'bytes')::bigint and p.head = probe.value ->> 'head' and p.head is not null
  ) order by probe.place), '[]')
  from jsonb_array_elements(p_probes) with ordinality as probe (value, place)
$$;

-- What the loop decides on, wish by wish, it decides as rows.ts does.
create or replace function lumina.claim(p_library text, p_holder text, p_call uuid, p_wants jsonb, p_lease_ms bigint)
  returns jsonb language plpgsql volatile set search_path = '' as $$
declare
  in_library uuid := lumina.enter(p_library);
  at_ms bigint := lumina.now_ms();
  answers jsonb;
  want record;
  stored record;
  other record;
begin
  -- most often nothing speaks to any wish
  insert into lumina.claim (library, key, digest, sidecar, holder, until_ms, call, place)
  select in_library, w.key, w.digest, w.sidecar, p_holder, at_ms + p_lease_ms, p_call, w.place
  from (
    select value ->> 'key' as key, decode(value ->> 'digest', 'hex') as digest, (value ->> 'sidecar')::boolean as sidecar, place,
      count(*) over (partition by value ->> 'key') as same_key, count(*) over (partition by value ->> 'digest') as same_digest
    from jsonb_array_elements(p_wants) with ordinality as asked (value, place)
  ) as w
  where w.same_key = 1 and w.same_digest = 1
    and not exists (select from lumina.photos p where p.library = in_library and p.key = w.key)
    and not exists (select from lumina.claim c where c.library = in_library and c.key = w.key)
    and (w.sidecar or not exists (select from lumina.photos p where p.library = in_library and p.digest = w.digest and not p.sidecar))
    and (w.sidecar or not exists (select from lumina.claim c where c.library = in_library and c.digest = w.digest and not c.sidecar))
  order by w.key
  on conflict do nothing;

  select coalesce(jsonb_object_agg(c.place, jsonb_build_object('answer', 'granted')), '{}') into answers
  from lumina.claim c where c.library = in_library and c.holder = p_holder and c.call = p_call;

  for want in
    select value ->> 'key' as key, decode(value ->> 'digest', 'hex') as digest, (value ->> 'sidecar')::boolean as sidecar, place
    from jsonb_array_elements(p_wants) with ordinality as asked (value, place)
    where not answers ? place::text
    order by place
  loop
    select p.key, p.digest = want.digest as same into stored from lumina.photos p
    where p.library = in_library
      and (p.key = want.key or (not want.sidecar and not p.sidecar and p.digest = want.digest))
    order by (p.digest = want.digest and not p.sidecar and not want.sidecar) desc limit 1;
    if found then
      answers := answers || jsonb_build_object(want.place, case when stored.same
        then jsonb_build_object('answer', 'known', 'key', stored.key) else jsonb_build_object('answer', 'key-taken') end);
      continue;
    end if;

    -- a holder that may still live may still publish: its key goes to no other content, even after its lease
    select c.digest = want.digest as same, c.until_ms, c.holder = p_holder as own into other from lumina.claim c
    where c.library = in_library and (
      (c.key = want.key and (c.digest <> want.digest or c.holder = p_holder or c.until_ms > at_ms))
      or (not want.sidecar and not c.sidecar and c.digest = want.digest and (c.holder = p_holder or c.until_ms > at_ms)))
    order by c.key = want.key desc limit 1;
    if found then
      answers := answers || jsonb_build_object(want.place, case when other.same
        then jsonb_build_object('answer', 'held', 'untilMs', other.until_ms, 'own', other.own)
        else jsonb_build_object('answer', 'key-taken') end);
      continue;
    end if;

    if not want.sidecar then
      update lumina.claim c set current = false
      where c.library = in_library and c.digest = want.digest and not c.sidecar and c.current;
    end if;
    insert into lumina.claim as c (library, key, digest, sidecar, holder, until_ms, call, place)
    values (in_library, want.key, want.digest, want.sidecar, p_holder, at_ms + p_lease_ms, p_call, want.place)
    on conflict (library, key) do update set sidecar = excluded.sidecar, holder = excluded.holder, until_ms = excluded.until_ms,
      current = true, call = excluded.call, place = excluded.place;
    answers := answers || jsonb_build_object(want.place, jsonb_build_object('answer', 'granted'));
  end loop;

  return (select coalesce(jsonb_agg(answers -> place::text order by place), '[]')
    from generate_series(1, jsonb_array_length(p_wants)) as place);
end $$;

create or replace function lumina.renew(p_library text, p_holder text, p_lease_ms bigint) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  in_library uuid := lumina.enter(p_library);
begin
  update lumina.claim set until_ms = lumina.now_ms() + p_lease_ms where library = in_library and holder = p_holder;
end $$;

create or replace function lumina.release(p_library text, p_holder text, p_claims jsonb) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  in_library uuid := lumina.enter(p_library);
begin
  delete from lumina.claim c using jsonb_array_elements(p_claims) as freed
  where c.library = in_library and c.holder = p_holder
    and c.key = freed ->> 'key' and c.digest = decode(freed ->> 'digest', 'hex');
end $$;

-- Frees what a holder has claimed: all of it, or what one call was granted whose answer never arrived.
create or replace function lumina.release_own(p_library text, p_holder text, p_call uuid) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  in_library uuid := lumina.enter(p_library);
begin
  delete from lumina.claim where library = in_library and holder = p_holder and (p_call is null or call = p_call);
end $$;

create or replace function lumina.record(p_library text, p_holder text, p_entries jsonb) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  in_library uuid := lumina.enter(p_library);
begin
  -- what is known is never sent again: it outlives a power cut, whatever the database is set to
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- a content that another process recorded first keeps its key; this copy is one too many, and harmless
  insert into lumina.photos (library, key, digest, name, bytes, kind, sidecar, head, modified_ms, taken_at, camera)
  select in_library, e ->> 'key', decode(e ->> 'digest', 'hex'), e ->> 'name', (e ->> 'bytes')::bigint, e ->> 'kind',
    (e ->> 'sidecar')::boolean, e ->> 'head', (e ->> 'modifiedMs')::double precision, e ->> 'takenAt', e ->> 'camera'
  from jsonb_array_elements(p_entries) with ordinality as entry (e, place)
  order by place
  on conflict do nothing;
  delete from lumina.claim c using jsonb_array_elements(p_entries) as e
  where c.library = in_library and c.key = e ->> 'key' and c.digest = decode(e ->> 'digest', 'hex');
  -- what another holder was granted for these contents stays its own: it may yet publish there
  delete from lumina.claim c using jsonb_array_elements(p_entries) as e
  where c.library = in_library and c.holder = p_holder and not c.sidecar
    and c.digest = decode(e ->> 'digest', 'hex') and not (e ->> 'sidecar')::boolean;
end $$;

create or replace function lumina.forget(p_library text, p_keys jsonb) returns void
  language plpgsql volatile set search_path = '' as $$
declare
  in_library uuid := lumina.enter(p_library);
begin
  -- who may not remove entries sees none to remove, and must not go on as if they were gone
  update lumina.library set epoch = epoch + 1 where id = in_library;
  if not found then
    raise insufficient_privilege using message = 'this role may not forget entries';
  end if;
  delete from lumina.photos p using jsonb_array_elements_text(p_keys) as gone where p.library = in_library and p.key = gone;
end $$;

create or replace function lumina.entries(p_library text, p_after text, p_page integer) returns jsonb
  language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'key', e.key, 'digest', encode(e.digest, 'hex'), 'bytes', e.bytes, 'kind', e.kind, 'sidecar', e.sidecar, 'name', e.name,
    'head', e.head, 'modifiedMs', e.modified_ms, 'takenAt', e.taken_at, 'camera', e.camera)) order by e.key), '[]')
  from (
    select p.* from lumina.photos p
    where p.library = (select id from lumina.library where url = p_library) and p.key > p_after collate "C"
    order by p.key limit p_page
  ) as e
$$;
`
