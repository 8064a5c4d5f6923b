#!/usr/bin/env node
// Old Nodes have to be able to read this file, as a module or as a script: hence neither import statements nor new syntax.
var version = process.versions.node.split('.').map(Number)

// 22.22.3 and 24.15 carry the SQLite whose write-ahead log no longer loses transactions at a reset (3.51.3).
var isNewEnough =
  version[0] >= 26 ||
  (version[0] === 24 && version[1] >= 15) ||
  (version[0] === 22 && (version[1] > 22 || (version[1] === 22 && version[2] >= 3)))

if (!isNewEnough) {
  process.stderr.write(
    'lumina needs Node 22.22.3, 24.15 or newer; this is ' + process.version + ' (get one at https://nodejs.org)\n'
  )
  process.exitCode = 2
} else {
  process.getBuiltinModule('node:module').enableCompileCache()
  import('../dist/cli.js')
}
