import { folded, splitExtension } from './names.ts'

/** Google cuts the name before `.json` to this many UTF-16 code units (51 with the extension), number not counted. */
const CUT_AT = 46
const SUPPLEMENT = '.supplemental-metadata'

/** How Google Photos marks an edited copy, by the account's language; the copy has no metadata of its own. */
const EDITED =
  /-(?:edited|effects|smile|mix|bearbeitet|modifié|modificato|ha editado|editado|editat|edytowane|bewerkt|編集済み)(?=(?:\(\d+\))?$)/u

/** `img_1-edited(1)` → `img_1(1)`; a stem without such a mark as it is. Expects a folded stem. */
export function withoutEditedMark(stem: string): string {
  return stem.includes('-') ? stem.replace(EDITED, '') : stem
}

/**
 * The folded names that Google Takeout may give the metadata of a photo, likeliest first: `IMG_1.jpg.json`, since 2024
 * `IMG_1.jpg.supplemental-metadata.json`, both cut; for `IMG_1(1).jpg` with the number last, as in `IMG_1.jpg(1).json`; for
 * a photo whose title had no extension without it. From photo to metadata there is one rule; back from a cut name there is
 * none: https://github.com/ente/ente/pull/4956.
 */
export function takeoutNamesOf(photo: string): string[] {
  const name = folded(photo)
  const [stem, extension] = splitExtension(name)
  const [, bare = stem, number = ''] = /^(.+)(\(\d+\))$/s.exec(stem) ?? []
  const original = withoutEditedMark(bare)
  const titles =
    number === ''
      ? [
          [original + extension, ''],
          [original, ''],
        ]
      : [
          [original + extension, number],
          [name, ''],
          [original, number],
        ]
  return titles.flatMap(([title = '', last = '']) => [cut(title + SUPPLEMENT, last), cut(title, last)])
}

function cut(title: string, number: string): string {
  return `${title.slice(0, CUT_AT)}${number}.json`
}
