#!/usr/bin/env node
// Every Node since 10 has to be able to read this file, as a module or as a script: hence neither import statements nor new syntax.
var version = process.versions.node.split('.').map(Number)

// 22.22.3 and 24.15 carry a SQLite (3.51.3) whose write-ahead log loses no transactions when it is reset.
var isNewEnough =
  version[0] >= 26 ||
  (version[0] === 24 && version[1] >= 15) ||
  (version[0] === 22 && (version[1] > 22 || (version[1] === 22 && version[2] >= 3)))

if (isNewEnough) {
  // Node 22 calls node:sqlite experimental on every start; what it warns of otherwise stays.
  var emitWarning = process.emitWarning
  process.emitWarning = function (warning, type) {
    if (type === 'ExperimentalWarning' && String(warning).startsWith('SQLite ')) return
    emitWarning.apply(process, arguments)
  }
  // Hashing and copying are native; what the last of V8's compilers would gain is lost in the noise, and its work takes some 10 MB.
  // The other compilers' helper threads keep as much for good, and cost no time on the lane's own.
  process.getBuiltinModule('node:v8').setFlagsFromString('--no-opt')
  process.getBuiltinModule('node:v8').setFlagsFromString('--no-concurrent-recompilation')
  process.getBuiltinModule('node:module').enableCompileCache()
  void import('../dist/cli.js')
} else {
  process.stderr.write(
    'lumina needs Node 22.22.3, 24.15 or newer; this is ' + process.version + ' (get one at https://nodejs.org)\n',
  )
  process.exitCode = 2
}
