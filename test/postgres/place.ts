import { randomUUID } from 'node:crypto'
import type { Catalog } from '../../src/client/destination.ts'
import type { CatalogClock, CatalogPlace, CatalogUser } from '../contract/catalog.ts'
import { postgresCatalog } from '../../src/client/catalogs/postgres.ts'
import type { TestPostgres } from './server.ts'

/** A catalog that is still being opened. */
export function opening(opened: Promise<Catalog>, before: () => Promise<unknown> = async () => undefined): Catalog {
  // a failure is whoever asks' to hear
  opened.catch(() => undefined)
  const ready = async (): Promise<Catalog> => {
    const catalog = await opened
    await before()
    return catalog
  }
  return {
    identity: async () => (await ready()).identity(),
    known: async (digests) => (await ready()).known(digests),
    located: async (digests) => (await ready()).located(digests),
    resembling: async (probes) => (await (await ready()).resembling?.(probes)) ?? [],
    claim: async (wants) => (await ready()).claim(wants),
    renew: async () => (await ready()).renew(),
    release: async (claims) => (await ready()).release(claims),
    record: async (entries) => (await ready()).record(entries),
    forget: async (keys) => (await ready()).forget(keys),
    async *entries() {
      yield* (await ready()).entries()
    },
    close: async () => (await opened).close(),
  }
}

/** A clock that a test moves, in the place of the database's own. */
export const movedClock = `
create table public.test_clock (now_ms bigint not null);
insert into public.test_clock values (0);
grant select on public.test_clock to public;
create or replace function lumina.now_ms() returns bigint language sql volatile as 'select now_ms from public.test_clock'`

/** Sets the database's clock, when it is another than it was. */
export function clockOf(postgres: TestPostgres, url: string, clock: CatalogClock): () => Promise<void> {
  let saidMs = Number.NaN
  return async () => {
    if (saidMs === clock.nowMs) return
    saidMs = clock.nowMs
    await postgres.run(url, `update public.test_clock set now_ms = ${clock.nowMs}`)
  }
}

/** A library of its own in a database whose clock is moved. */
export function postgresPlace(postgres: TestPostgres, url: string, clock: CatalogClock): CatalogPlace {
  const library = `test://${randomUUID()}`
  const tell = clockOf(postgres, url, clock)
  return {
    nowMs: () => clock.nowMs,
    open: ({ holder }: CatalogUser) =>
      opening(
        postgresCatalog({ connection: url, library, holder, pool: { min: 0, max: 2 }, statementTimeoutMs: 30_000 }),
        tell,
      ),
  }
}
