import { schema } from './schema.ts'

type Signature = readonly [name: string, parameters: readonly (readonly [name: string, type: string])[], answer: string]

const library = ['p_library', 'text'] as const
const holder = ['p_holder', 'text'] as const
const call = ['p_call', 'uuid'] as const
const lease = ['p_lease_ms', 'bigint'] as const

/** What a client may call, and with what. */
const signatures: readonly Signature[] = [
  ['version', [], 'integer'],
  ['identity', [library], 'jsonb'],
  ['known', [library, ['p_digests', 'jsonb']], 'jsonb'],
  ['located', [library, ['p_digests', 'jsonb']], 'jsonb'],
  ['resembling', [library, ['p_probes', 'jsonb']], 'jsonb'],
  ['claim', [library, holder, call, ['p_wants', 'jsonb'], lease], 'jsonb'],
  ['renew', [library, holder, lease], 'void'],
  ['release', [library, holder, ['p_claims', 'jsonb']], 'void'],
  ['release_own', [library, holder, call], 'void'],
  ['record', [library, holder, ['p_entries', 'jsonb']], 'void'],
  ['forget', [library, ['p_keys', 'jsonb']], 'void'],
  ['entries', [library, ['p_after', 'text'], ['p_page', 'integer']], 'jsonb'],
]

/** A function where PostgREST finds it, run with the rights of who calls. New functions are everybody's there, so that is taken back. */
function wrapper([name, parameters, answer]: Signature): string {
  const called = `public.lumina_${name}(${parameters.map(([, type]) => type).join(', ')})`
  return `create or replace function public.lumina_${name}(${parameters.map((each) => each.join(' ')).join(', ')})
  returns ${answer} language sql volatile security invoker set search_path = ''
  as $$ select lumina.${name}(${parameters.map(([each]) => each).join(', ')}) $$;
revoke all on function ${called} from public, anon;
grant execute on function ${called} to authenticated, service_role;`
}

const policies = [
  ['lumina_look', 'library', 'for select to authenticated using (true)'],
  ['lumina_begin', 'library', 'for insert to authenticated with check (epoch = 1)'],
  ['lumina_service', 'library', 'for all to service_role using (true) with check (true)'],
  ['lumina_look', 'photos', 'for select to authenticated using (true)'],
  [
    'lumina_add',
    'photos',
    `for insert to authenticated
  with check ("user" is not distinct from (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))`,
  ],
  ['lumina_service', 'photos', 'for all to service_role using (true) with check (true)'],
  ['lumina_claim', 'claim', 'for all to authenticated using (true) with check (true)'],
  ['lumina_service', 'claim', 'for all to service_role using (true) with check (true)'],
] as const

/**
 * What `lumina init supabase` installs: the catalog, its functions as RPC, and who may do what. Users look and add, under their own
 * name; claims come and go. They take nothing away, so that a stolen login cannot make photos unknown: `forget` is the service
 * role's. Who is not logged in gets nothing. It may be applied again, at any time.
 */
export const supabaseSql = `${schema}
grant usage on schema lumina to authenticated, service_role;
revoke all on all functions in schema lumina from public, anon;
grant execute on all functions in schema lumina to authenticated, service_role;
revoke all on all tables in schema lumina from public, anon, authenticated;
grant select, insert on lumina.library, lumina.photos to authenticated;
grant select, insert, update, delete on lumina.claim to authenticated;
grant select, insert, update, delete on all tables in schema lumina to service_role;

alter table lumina.library enable row level security;
alter table lumina.photos enable row level security;
alter table lumina.claim enable row level security;
${policies.map(([name, table, rule]) => `drop policy if exists ${name} on lumina.${table};\ncreate policy ${name} on lumina.${table} ${rule};`).join('\n')}

${signatures.map(wrapper).join('\n\n')}

notify pgrst, 'reload schema';
`
