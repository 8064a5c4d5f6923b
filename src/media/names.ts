/** A name as companions compare it: cameras and tools disagree on case, file systems on Unicode's normal form. */
export function folded(name: string): string {
  return name.toLowerCase().normalize('NFC')
}

/** A name's stem and its last extension with the dot: `a.b.jpg` → `a.b`, `.jpg`. A leading dot begins no extension. */
export function splitExtension(name: string): [stem: string, extension: string] {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot)]
}
