#!/usr/bin/env node
const neededMajor = 24

// Before anything else is loaded: the database driver ends an older Node without a word.
if (Number(process.versions.node.split('.')[0]) < neededMajor) {
  console.error(`lockstep: needs Node ${neededMajor} or later; this is Node ${process.versions.node}.`)
  process.exit(69)
}

const { main } = await import('./cli.ts')
await main(process.argv.slice(2))
