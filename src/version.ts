// Put in by the build.
declare const __LUMINA_VERSION__: string | undefined

export const version = typeof __LUMINA_VERSION__ === 'string' ? __LUMINA_VERSION__ : 'source'
