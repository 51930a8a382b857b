#!/usr/bin/env node
import { agentNodeMajor } from './nodeVersion.ts'

// Before anything else is loaded: an older Node would end in the middle of something.
if (Number(process.versions.node.split('.')[0]) < agentNodeMajor) {
  console.error(`lockstep-agent: needs Node ${agentNodeMajor} or later; this is Node ${process.versions.node}.`)
  process.exit(69)
}

const { main } = await import('./cli.ts')
await main(process.argv.slice(2))
