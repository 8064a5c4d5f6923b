/** A camera as its files name it. */
export interface Camera {
  readonly make?: string
  readonly model?: string
}

/** What makers add to their name, which nobody calls a camera by. */
const COMPANY =
  /\b(?:corporation|corp|company|co|inc|ltd|gmbh|ag|imaging|optical|electronics|techwin|digital camera)\b[.,]*/gi

const MAX_CHARACTERS = 64

/**
 * What people call it: `Canon EOS R5`, `NIKON D500`, `SONY ILCE-7M3`; the maker once, without its legal form. Undefined when
 * neither make nor model is known.
 */
export function cameraName({ make = '', model = '' }: Camera): string | undefined {
  const brand = collapsed(make.replace(COMPANY, '').replace(/^eastman kodak/i, 'Kodak'))
  const type = collapsed(model)
  const [first = ''] = brand.split(/[ -]/)
  const isNamed = first !== '' && type.toLowerCase().startsWith(first.toLowerCase())
  const name = isNamed || brand === '' ? type : `${brand} ${type}`
  return name.slice(0, MAX_CHARACTERS).trim() || undefined
}

function collapsed(text: string): string {
  return text.replaceAll(/[\s,]+/g, ' ').trim()
}
