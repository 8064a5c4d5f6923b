import { LuminaError } from '../errors.ts'

/** Local wall-clock time, as the camera wrote it: the folder of a picture is the day its photographer lived. */
export interface TakenAt {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
}

/** What a layout may ask about one file. */
export interface LayoutValues {
  /** Folder below the source argument, `/`-separated, '' at its top. */
  dir: string
  /** Without extension. */
  name: string
  /** With its dot. */
  ext: string
  taken: TakenAt
  camera: string
  digest: string
  uuid: string
}

export interface Layout {
  readonly template: string
  /** `{dir}/{name}{ext}`: every file keeps its place and its name. */
  readonly isDefault: boolean
  /** It needs the capture date or the camera, so the file's metadata must be read. */
  readonly asksMetadata: boolean
  readonly asksDate: boolean
  /** What it makes of any file holds its whole digest; its extension. */
  readonly holdsDigest: boolean
  readonly holdsExt: boolean
  /** Path segments, not made safe yet. */
  expand(values: LayoutValues): string[]
}

type Field = keyof LayoutValues
type Part = string | { field: Field; format: string }

const fields: readonly Field[] = ['dir', 'name', 'ext', 'taken', 'camera', 'digest', 'uuid']
const defaultDateFormat = 'yyyy-MM-dd'

const dateParts: Record<string, (taken: TakenAt) => string> = {
  yyyy: ({ year }) => pad(year, 4),
  yy: ({ year }) => pad(year % 100),
  MM: ({ month }) => pad(month),
  dd: ({ day }) => pad(day),
  HH: ({ hour }) => pad(hour),
  mm: ({ minute }) => pad(minute),
  ss: ({ second }) => pad(second),
}

/** @throws `usage` for a template that names an unknown field or can give two files of one folder no two names. */
export function parseLayout(template: string): Layout {
  const parts = parse(template)
  const asked = new Set(parts.flatMap((part) => (typeof part === 'string' ? [] : [part.field])))
  if (!asked.has('name') && !asked.has('digest') && !asked.has('uuid')) {
    throw new LuminaError('usage', `The layout ${template} gives every file of a folder the same name.`, {
      hint: 'Add {name}, {digest} or {uuid}, for example {taken:yyyy}/{taken:MM}/{name}{ext}.',
    })
  }
  return {
    template,
    isDefault: template === '{dir}/{name}{ext}',
    asksMetadata: asked.has('taken') || asked.has('camera'),
    asksDate: asked.has('taken'),
    holdsDigest: asked.has('digest'),
    holdsExt: asked.has('ext'),
    expand: (values) => expand(parts, values),
  }
}

function parse(template: string): Part[] {
  return template.split(/(\{[^{}]*\})/).flatMap((piece): Part[] => {
    if (!piece.startsWith('{')) return piece === '' ? [] : [piece]
    const [name = '', ...format] = piece.slice(1, -1).split(':')
    const field = fields.find((known) => known === name)
    if (!field) {
      throw new LuminaError('usage', `The layout has an unknown field ${piece}.`, {
        hint: `Fields are ${fields.map((known) => `{${known}}`).join(' ')}.`,
      })
    }
    return [{ field, format: format.join(':') }]
  })
}

/** A slash inside a value (`dir` apart) is part of a name: only the template's own slashes make folders. */
function expand(parts: readonly Part[], values: LayoutValues): string[] {
  let path = ''
  for (const part of parts) path += typeof part === 'string' ? part : valueOf(part.field, part.format, values)
  return path.split('/')
}

function valueOf(field: Field, format: string, values: LayoutValues): string {
  if (field === 'taken') return formatDate(values.taken, format || defaultDateFormat)
  if (field === 'dir') return values.dir
  return values[field].replaceAll('/', '-')
}

function formatDate(taken: TakenAt, format: string): string {
  return format.replace(/yyyy|yy|MM|dd|HH|mm|ss/g, (part) => (dateParts[part] as (taken: TakenAt) => string)(taken))
}

/** The wall clock of this machine at `date`. */
export function takenFrom(date: Date): TakenAt {
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
  }
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, '0')
}

/** A version 8 UUID made of the content's digest: the same content is called the same, in a rerun and on another machine. */
export function uuidOf(digest: string): string {
  const variant = ((Number.parseInt(digest[16] as string, 16) & 0x3) | 0x8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}
