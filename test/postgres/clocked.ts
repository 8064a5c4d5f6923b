import type { Catalog } from '../../src/client/destination.ts'

/** Puts the database on a clock that a test turns. */
export const clockSql = `create table lumina.test_clock (now_ms bigint);
insert into lumina.test_clock values (0);
grant select on lumina.test_clock to public;
create or replace function lumina.now_ms() returns bigint language sql volatile as $$ select now_ms from lumina.test_clock $$;`

/** A catalog that is opened with its first call, and has the database's clock turned before each. */
export function clocked(open: () => Promise<Catalog>, turn: () => Promise<unknown>): Catalog {
  let opening: Promise<Catalog> | undefined
  const ready = async (): Promise<Catalog> => {
    await turn()
    return (opening ??= open())
  }
  return {
    identity: async () => {
      const { id, epoch } = await (await ready()).identity()
      return { id, epoch }
    },
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
    close: async () => (await opening)?.close(),
  }
}
