const token =
  // oxlint-disable-next-line no-control-regex
  /[\s{}[\]:,]+|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-f]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/iy

/** Where `text` stops being JSON: where `JSON.parse` says so, else at the first thing that is no token, else at the end. */
export function positionOfFault(text: string, error: Error): number {
  const [, told] = /at position (\d+)/.exec(error.message) ?? []
  return told === undefined ? firstNonToken(text) : Number(told)
}

function firstNonToken(text: string): number {
  let position = 0
  while (position < text.length) {
    token.lastIndex = position
    const match = token.exec(text)
    if (match === null) return position
    position = token.lastIndex
  }
  return position
}
