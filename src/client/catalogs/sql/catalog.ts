/** Raised with every change below; a database that says less is migrated when it is next opened by a role that may. */
export const schemaVersion = 1

/*
 * What machines share, in a schema of its own. Every function is one statement for its caller and leaves nothing behind in the
 * session, so that a pooler may hand each call to another connection. Run again it changes nothing.
 *
 * Calls that change a library take turns by one advisory lock that ends with their transaction. Locks row by row would have to be
 * taken in one order by keys and by digests at once, which two cameras with the same names don't have: they would deadlock. The
 * unique constraints hold on their own, whoever else writes to the tables.
 */
export const catalogSql = `create schema if not exists lumina;

create table if not exists lumina.library (
  id uuid primary key default gen_random_uuid(),
  url text not null unique,
  epoch bigint not null default 1
);

create table if not exists lumina.photos (
  library uuid not null,
  digest bytea not null check (octet_length(digest) = 32),
  key text collate "C" not null,
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

-- superseded: the content went to another key after the lease had run out; this key stays promised to it all the same
create table if not exists lumina.claim (
  library uuid not null,
  key text collate "C" not null,
  digest bytea not null check (octet_length(digest) = 32),
  sidecar boolean not null,
  holder text not null,
  call text not null,
  until_ms bigint not null,
  superseded boolean not null default false,
  primary key (library, key)
);
create unique index if not exists claim_content on lumina.claim (library, digest) where not sidecar and not superseded;
create index if not exists claim_digest on lumina.claim (library, digest);
create index if not exists claim_holder on lumina.claim (library, holder);

create or replace function lumina.now_ms() returns bigint language sql volatile set search_path = '' as $$
  select floor(extract(epoch from clock_timestamp()) * 1000)::bigint
$$;

create or replace function lumina.library_id(library_url text) returns uuid
language plpgsql volatile set search_path = '' as $$
declare found_id uuid;
begin
  select l.id into found_id from lumina.library l where l.url = library_url;
  if found_id is null then
    insert into lumina.library (url) values (library_url) on conflict (url) do nothing;
    select l.id into found_id from lumina.library l where l.url = library_url;
  end if;
  return found_id;
end $$;

-- one at a time from here to the end of the transaction
create or replace function lumina.enter(library_url text) returns uuid
language plpgsql volatile set search_path = '' as $$
begin
  perform set_config('lock_timeout', '20s', true);
  perform pg_advisory_xact_lock(hashtextextended(library_url, 7526));
  return lumina.library_id(library_url);
end $$;

create or replace function lumina.identity(library_url text) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare lib uuid := lumina.library_id(library_url);
begin
  return (select jsonb_build_object('id', l.id, 'epoch', l.epoch, 'version', ${schemaVersion}) from lumina.library l where l.id = lib);
end $$;

create or replace function lumina.known(library_url text, digests jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(encode(p.digest, 'hex'), p.key), '{}') from lumina.photos p
  where p.library = (select l.id from lumina.library l where l.url = library_url) and not p.sidecar
    and p.digest = any (array(select decode(d, 'hex') from jsonb_array_elements_text(digests) d))
$$;

create or replace function lumina.located(library_url text, digests jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_object_agg(encode(f.digest, 'hex'), f.key), '{}') from (
    select distinct on (p.digest) p.digest, p.key from lumina.photos p
    where p.library = (select l.id from lumina.library l where l.url = library_url)
      and p.digest = any (array(select decode(d, 'hex') from jsonb_array_elements_text(digests) d))
    order by p.digest, p.sidecar, p.key
  ) f
$$;

create or replace function lumina.resembling(library_url text, probes jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(exists (
    select 1 from lumina.photos p
    where p.library = (select l.id from lumina.library l where l.url = library_url)
      and p.bytes = (w.probe ->> 'bytes')::bigint and p.head = w.probe ->> 'head'
  ) order by w.n), '[]') from jsonb_array_elements(probes) with ordinality as w (probe, n)
$$;

-- the answers to each wish in turn, as if they came one by one; the same call_id again, after a lost answer, gives the same answers
create or replace function lumina.claim(library_url text, holder_id text, wants jsonb, lease_ms bigint, call_id text)
returns jsonb language plpgsql volatile set search_path = '' as $$
declare
  lib uuid := lumina.enter(library_url);
  at_ms bigint := lumina.now_ms();
  want record;
  other record;
  answers jsonb[] := '{}';
begin
  <<wishes>>
  for want in
    select decode(w.want ->> 'digest', 'hex') as digest, w.want ->> 'key' as key, (w.want ->> 'sidecar')::boolean as sidecar,
      call_id || '/' || w.n as call, w.n
    from jsonb_array_elements(wants) with ordinality as w (want, n) order by w.n
  loop
    if not want.sidecar then
      select p.key into other from lumina.photos p where p.library = lib and p.digest = want.digest and not p.sidecar;
      if found then
        answers[want.n] := jsonb_build_object('answer', 'known', 'key', other.key);
        continue;
      end if;
    end if;
    select p.digest into other from lumina.photos p where p.library = lib and p.key = want.key;
    if found then
      answers[want.n] := case when other.digest = want.digest then jsonb_build_object('answer', 'known', 'key', want.key)
        else jsonb_build_object('answer', 'key-taken') end;
      continue;
    end if;
    for other in
      select c.key, c.digest, c.holder, c.until_ms, c.call from lumina.claim c where c.library = lib and c.key = want.key
      union all
      select c.key, c.digest, c.holder, c.until_ms, c.call from lumina.claim c
      where c.library = lib and c.digest = want.digest and c.key <> want.key and not c.sidecar and not want.sidecar
    loop
      -- who held it may still publish: its key goes to no other content, even after its lease
      if other.digest <> want.digest then
        answers[want.n] := jsonb_build_object('answer', 'key-taken');
        continue wishes;
      end if;
      if other.holder = holder_id and other.call = want.call and other.key = want.key then
        answers[want.n] := jsonb_build_object('answer', 'granted');
        continue wishes;
      end if;
      if other.holder = holder_id or other.until_ms > at_ms then
        answers[want.n] := jsonb_build_object('answer', 'held', 'untilMs', other.until_ms, 'own', other.holder = holder_id);
        continue wishes;
      end if;
    end loop;
    if not want.sidecar then
      update lumina.claim c set superseded = true
      where c.library = lib and c.digest = want.digest and c.key <> want.key and not c.sidecar and not c.superseded;
    end if;
    insert into lumina.claim as c (library, key, digest, sidecar, holder, call, until_ms)
    values (lib, want.key, want.digest, want.sidecar, holder_id, want.call, at_ms + lease_ms)
    on conflict (library, key) do update
      set sidecar = excluded.sidecar, holder = excluded.holder, call = excluded.call, until_ms = excluded.until_ms, superseded = false
      where c.digest = excluded.digest;
    answers[want.n] := jsonb_build_object('answer', 'granted');
  end loop;
  return to_jsonb(answers);
end $$;

create or replace function lumina.renew(library_url text, holder_id text, lease_ms bigint) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare lib uuid := lumina.enter(library_url);
begin
  update lumina.claim c set until_ms = lumina.now_ms() + lease_ms where c.library = lib and c.holder = holder_id;
  return 'null';
end $$;

create or replace function lumina.release(library_url text, holder_id text, claims jsonb) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare lib uuid := lumina.enter(library_url);
begin
  delete from lumina.claim c using jsonb_array_elements(claims) w (claim)
  where c.library = lib and c.holder = holder_id and c.key = w.claim ->> 'key' and c.digest = decode(w.claim ->> 'digest', 'hex');
  return 'null';
end $$;

create or replace function lumina.release_own(library_url text, holder_id text) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare lib uuid := lumina.enter(library_url);
begin
  delete from lumina.claim c where c.library = lib and c.holder = holder_id;
  return 'null';
end $$;

create or replace function lumina.record(library_url text, holder_id text, entries jsonb) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare lib uuid := lumina.enter(library_url);
begin
  -- what is known now is never sent again: it has to outlive a power cut, whatever the database is set to
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- a content that another recorded first keeps its key; this copy is one too many, and harmless
  insert into lumina.photos (library, digest, key, name, bytes, kind, sidecar, head, modified_ms, width, height, taken_at, camera)
  select lib, decode(w.e ->> 'digest', 'hex'), w.e ->> 'key', w.e ->> 'name', (w.e ->> 'bytes')::bigint, w.e ->> 'kind',
    (w.e ->> 'sidecar')::boolean, w.e ->> 'head', (w.e ->> 'modifiedMs')::double precision,
    (w.e ->> 'width')::integer, (w.e ->> 'height')::integer, w.e ->> 'takenAt', w.e ->> 'camera'
  from jsonb_array_elements(entries) with ordinality as w (e, n) order by w.n
  on conflict do nothing;
  delete from lumina.claim c using jsonb_array_elements(entries) w (e)
  where c.library = lib and c.key = w.e ->> 'key' and c.digest = decode(w.e ->> 'digest', 'hex');
  -- what another holder was granted for this content stays its own: it may yet publish there
  delete from lumina.claim c using jsonb_array_elements(entries) w (e)
  where c.library = lib and c.digest = decode(w.e ->> 'digest', 'hex') and c.holder = holder_id and not c.sidecar
    and not (w.e ->> 'sidecar')::boolean;
  return 'null';
end $$;

create or replace function lumina.forget(library_url text, keys jsonb) returns jsonb
language plpgsql volatile set search_path = '' as $$
declare lib uuid := lumina.enter(library_url);
begin
  delete from lumina.photos p using jsonb_array_elements_text(keys) k where p.library = lib and p.key = k;
  update lumina.library l set epoch = l.epoch + 1 where l.id = lib;
  return 'null';
end $$;

create or replace function lumina.entries(library_url text, after_key text, page bigint) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('key', e.key, 'digest', encode(e.digest, 'hex'), 'bytes', e.bytes,
    'kind', e.kind, 'sidecar', e.sidecar, 'name', e.name, 'head', e.head, 'modifiedMs', e.modified_ms, 'width', e.width,
    'height', e.height, 'takenAt', e.taken_at, 'camera', e.camera)) order by e.key), '[]')
  from (
    select * from lumina.photos p
    where p.library = (select l.id from lumina.library l where l.url = library_url) and p.key > after_key
    order by p.key limit page
  ) e
$$;
`
