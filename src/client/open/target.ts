import { existsSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { LuminaError } from '../../errors.ts'

/** A destination as the person named it, understood but not touched yet. */
export type Target = LocalTarget | SupabaseTarget

interface Named {
  /** Canonical: what the ledger, locks and catalogs call it. Never holds a secret. */
  url: string
  /** What messages call it. */
  shown: string
}

export interface LocalTarget extends Named {
  kind: 'local'
  root: string
}

export interface SupabaseTarget extends Named {
  kind: 'supabase'
  /** The project's origin: `https://ref.supabase.co`. */
  project: string
  bucket: string
  /** What every key begins with: `2026/spring`, or nothing. */
  prefix: string
}

/** What a target's name leaves open. */
export interface Surroundings {
  cwd: string
  /** SUPABASE_URL */
  supabaseUrl?: string | undefined
}

/** @throws `usage` for what is no destination, or none that this version knows; `config` where something about it is not set. */
export function parseTarget(text: string, { cwd, supabaseUrl }: Surroundings): Target {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(text)?.[1]?.toLowerCase()
  switch (scheme) {
    case undefined:
      return localTarget(resolve(cwd, text.replace(/^~(?=$|[/\\])/, homedir())))
    case 'file':
      return localTarget(fromFileUrl(text))
    case 'supabase':
      return supabaseTarget(text, supabaseUrl)
    default:
      throw new LuminaError('usage', `This Lumina has no destination of the kind ${scheme}://.`, {
        hint: 'Name a folder, for example --to ./library, or supabase://bucket/prefix.',
      })
  }
}

export function localTarget(path: string): LocalTarget {
  const root = canonical(path)
  return { kind: 'local', url: pathToFileURL(root).href, shown: root, root }
}

function fromFileUrl(text: string): string {
  try {
    return fileURLToPath(text)
  } catch (error) {
    throw new LuminaError('usage', `${text} is not the URL of a folder.`, {
      cause: error,
      hint: 'Write file:///path/to/library or just the path.',
    })
  }
}

/** Without symbolic links, as far as it exists. */
function canonical(path: string): string {
  const missing: string[] = []
  let at = path
  while (!existsSync(at) && at !== dirname(at)) {
    missing.unshift(basename(at))
    at = dirname(at)
  }
  return join(realpathSync(at), ...missing)
}

const supabaseForm = /^supabase:\/\/([^/?#@:]+)((?:\/[^?#]*)?)$/i

function supabaseTarget(text: string, supabaseUrl: string | undefined): SupabaseTarget {
  const [, bucket, path = ''] = supabaseForm.exec(text) ?? []
  const segments = path.split('/').filter((segment) => segment !== '')
  if (bucket === undefined || segments.some((segment) => segment === '.' || segment === '..'))
    throw new LuminaError('usage', `${text} names no bucket.`, {
      hint: 'Write supabase://bucket or supabase://bucket/prefix.',
    })
  const project = originOf(supabaseUrl)
  const prefix = segments.join('/')
  const place = prefix === '' ? bucket : `${bucket}/${prefix}`
  return {
    kind: 'supabase',
    // one bucket name in two projects is two places
    url: `supabase+${project}/${place}`,
    shown: `supabase://${place}`,
    project,
    bucket,
    prefix,
  }
}

function originOf(url: string | undefined): string {
  if (url === undefined)
    throw new LuminaError('config', 'Nothing says which Supabase project is meant.', {
      hint: 'Set SUPABASE_URL, for example SUPABASE_URL=https://<ref>.supabase.co',
    })
  const parsed = URL.parse(url)
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '')
    throw new LuminaError('config', 'SUPABASE_URL is not the URL of a project.', {
      hint: 'It looks like https://<ref>.supabase.co',
    })
  return parsed.origin
}
