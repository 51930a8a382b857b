import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startTraefikStandIn } from './traefikStandIn.ts'

/*
 * The process that stands for the Traefik of every VPS of the demo fleet. Arguments: the directory of its nodes, the
 * address and the port of its API. That of a node whose process file is gone does not answer: it was stopped.
 */

// What the kernel then calls it: a node that looks for a Traefik finds one.
process.title = 'traefik'

const [nodes = '', address = '', port = ''] = process.argv.slice(2)

function directoryOf(name: string | null): string | null {
  if (name === null || !/^[a-z0-9-]+$/.test(name)) return null
  const traefik = join(nodes, name, 'home', 'traefik')
  return existsSync(join(traefik, 'traefik.pid')) ? join(traefik, 'config') : null
}

await startTraefikStandIn({ directoryOf, address, port: Number(port) })
