import { type Answer, type Call, jsonBody, ok } from './call.ts'
import { accessOf, type Service } from './service.ts'
import type { StoredFile } from './store.ts'

const maxItemsV1 = 1500
const maxItemsV2 = 1000

/** A bucket that does not exist and one that may not be seen look the same: empty. */
function seen(service: Service, call: Call): [string, StoredFile][] {
  const objects = service.store.buckets.get(call.bucket)?.objects
  return objects && accessOf(service, call).select ? [...objects] : []
}

/** POST /object/list/bucket: one folder, by limit and offset; folders are items without an id. */
export async function list(service: Service, call: Call): Promise<Answer> {
  const asked = (await jsonBody(call)) as {
    prefix?: string
    limit?: number
    offset?: number
    search?: string
    sortBy?: { column?: string; order?: string }
  }
  const folder = folderOf(asked.prefix ?? '')
  const { folders, files } = split(seen(service, call), folder)
  const wanted = ({ name }: { name: string }): boolean =>
    name.toLowerCase().startsWith((asked.search ?? '').toLowerCase())
  const order = comparing(asked.sortBy?.column ?? 'name', asked.sortBy?.order ?? 'asc')
  const items = [
    ...folders.map((name) => ({
      name,
      id: null,
      updated_at: null,
      created_at: null,
      last_accessed_at: null,
      metadata: null,
    })),
    ...files.map(([name, file]) => ({ name, ...described(file) })),
  ]
  const offset = asked.offset ?? 0
  const limit = Math.min(asked.limit ?? 100, maxItemsV1)
  return ok(
    items
      .filter(wanted)
      .toSorted(order)
      .slice(offset, offset + limit),
  )
}

/** POST /object/list-v2/bucket: whatever begins with `prefix`, in the order of its bytes, from a cursor on. */
export async function listV2(service: Service, call: Call): Promise<Answer> {
  const asked = (await jsonBody(call)) as {
    prefix?: string
    limit?: number
    cursor?: string
    with_delimiter?: boolean
  }
  const prefix = asked.prefix ?? ''
  const after = asked.cursor === undefined ? '' : Buffer.from(asked.cursor, 'base64url').toString()
  const limit = Math.min(asked.limit ?? maxItemsV2, maxItemsV2)
  const entries = seen(service, call).filter(([key]) => key.startsWith(prefix))
  const rows = asked.with_delimiter === true ? grouped(entries, prefix) : entries
  const rest = rows.filter(([key]) => key > after).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  return ok({
    hasNext: rest.length > page.length,
    folders: page.flatMap(([key, file]) => (file ? [] : [{ name: key, key }])),
    objects: page.flatMap(([key, file]) => (file ? [{ name: key, key, ...described(file) }] : [])),
    ...(last && rest.length > page.length && { nextCursor: Buffer.from(last[0]).toString('base64url') }),
  })
}

const folderOf = (prefix: string): string => (prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`)

function split(entries: [string, StoredFile][], folder: string): { folders: string[]; files: [string, StoredFile][] } {
  const folders = new Set<string>()
  const files: [string, StoredFile][] = []
  for (const [key, file] of entries) {
    if (!key.startsWith(folder)) continue
    const name = key.slice(folder.length)
    const slash = name.indexOf('/')
    if (slash === -1) files.push([name, file])
    else folders.add(name.slice(0, slash))
  }
  return { folders: [...folders], files }
}

function grouped(entries: [string, StoredFile][], prefix: string): [string, StoredFile | undefined][] {
  const rows = new Map<string, StoredFile | undefined>()
  for (const [key, file] of entries) {
    const slash = key.indexOf('/', prefix.length)
    if (slash === -1) rows.set(key, file)
    else rows.set(key.slice(0, slash + 1), undefined)
  }
  return [...rows]
}

interface Sortable {
  name: string
  created_at: string | null
  updated_at: string | null
}

function comparing(column: string, order: string): (a: Sortable, b: Sortable) => number {
  const of = (item: Sortable): string =>
    (column === 'created_at' ? item.created_at : column === 'updated_at' ? item.updated_at : item.name) ?? ''
  const sign = order === 'desc' ? -1 : 1
  return (a, b) => (of(a) === of(b) ? 0 : of(a) < of(b) ? -sign : sign)
}

function described(file: StoredFile): {
  id: string
  updated_at: string
  created_at: string
  last_accessed_at: string
  metadata: object
} {
  const updated = file.updatedAt.toISOString()
  return {
    id: file.id,
    updated_at: updated,
    created_at: file.createdAt.toISOString(),
    last_accessed_at: updated,
    metadata: {
      eTag: file.etag,
      size: file.bytes,
      mimetype: file.type,
      cacheControl: file.cacheControl,
      lastModified: updated,
      contentLength: file.bytes,
      httpStatusCode: 200,
    },
  }
}
