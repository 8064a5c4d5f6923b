/** A file's own words, which may end up in a key or on a terminal: UTF-8 where they are, else latin1; no control characters. */
export function written(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString('utf8')
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return (text.includes('\ufffd') ? buffer.toString('latin1') : text).replace(/[\x00-\x1f\x7f-\x9f]/g, ' ').trim()
}
