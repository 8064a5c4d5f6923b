import { fourCC, u32be } from './bytes.ts'
import type { Kind } from './kinds.ts'

const ANIMATION_CONTROL = fourCC('acTL')
const IMAGE_DATA = fourCC('IDAT')
const END = fourCC('IEND')

/** `image/apng` when an animation control chunk stands before the picture data: https://www.w3.org/TR/png-3/#structure. */
export function pngKind(head: Uint8Array): Kind {
  for (let at = 8; at + 8 <= head.length; at += 12 + u32be(head, at)) {
    const chunk = u32be(head, at + 4)
    if (chunk === ANIMATION_CONTROL) return 'image/apng'
    if (chunk === IMAGE_DATA || chunk === END) break
  }
  return 'image/png'
}
