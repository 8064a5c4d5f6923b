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
  // Less memory for the same speed, since hashing and copying are native code. V8's last compiler takes 8 MB for nothing that shows;
  // the compilers' helper threads keep 10 MB for good; and garbage that dies young needs no room to grow into, which saves 5 to 9.
  var v8 = process.getBuiltinModule('node:v8')
  v8.setFlagsFromString('--no-opt')
  v8.setFlagsFromString('--no-concurrent-recompilation')
  v8.setFlagsFromString('--semi-space-growth-factor=1')
  process.getBuiltinModule('node:module').enableCompileCache()
  void import('../dist/cli.js')
} else {
  process.stderr.write(
    'lumina needs Node 22.22.3, 24.15 or newer; this is ' + process.version + ' (get one at https://nodejs.org)\n',
  )
  process.exitCode = 2
}
