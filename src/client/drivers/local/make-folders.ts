import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

import { systemCode } from '../../../errors.ts'

/** Makes `folder` and those above it that are missing. @throws the system's own reason why it could not */
export function makeFolders(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    // Node says so for a read-only disk too: https://github.com/nodejs/node/issues/47098
    makeFoldersOneByOne(folder)
  }
}

function makeFoldersOneByOne(folder: string): void {
  try {
    mkdirSync(folder)
  } catch (error) {
    switch (systemCode(error)) {
      case 'EEXIST':
        return
      case 'ENOENT':
        if (folder === dirname(folder)) throw error
        makeFoldersOneByOne(dirname(folder))
        return mkdirSync(folder)
      default:
        throw error
    }
  }
}
