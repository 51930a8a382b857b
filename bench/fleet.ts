import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FleetNode } from '../src/shared/model/node.ts'
import { sshdMissing, startSshd, type TestSshd } from '../test/support/sshd.ts'
import { nodeFor } from '../test/support/trust.ts'

/** sshd listens on no more than 16 addresses. */
const addressesPerServer = 16

export interface BenchFleet {
  readonly nodes: readonly FleetNode[]
  /** Home of the login on this node: one for each, although they share this machine. */
  homeOf(node: FleetNode): string
  stop(): Promise<void>
}

/** What a hosts file looks like before anybody manages it. */
const usualHosts = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tmachine\n'

/** Nodes on loopback: an address of its own and a home of its own for each, sixteen of them for each sshd. */
export async function startFleet(trustedUserCa: string, count: number): Promise<BenchFleet> {
  if (sshdMissing !== null) throw new Error(sshdMissing)
  const homes = await mkdtemp(join(tmpdir(), 'lsb-'))
  const servers: TestSshd[] = []
  const nodes: FleetNode[] = []
  const homeOf = (address: string): string => join(homes, address)
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
    await rm(homes, { recursive: true, force: true })
  }
  try {
    for (let block = 0; nodes.length < count; block += 1) {
      const size = Math.min(addressesPerServer, count - nodes.length)
      const addresses = Array.from({ length: size }, (_, index) => `127.1.${block}.${index + 1}`)
      const server = await startServer(trustedUserCa, addresses, homeOf)
      servers.push(server)
      nodes.push(...addresses.map((each) => nodeFor({ ...server, address: each })))
    }
    return { nodes, homeOf: (node) => homeOf(node.address), stop }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

async function startServer(
  trustedUserCa: string,
  addresses: readonly string[],
  homeOf: (address: string) => string,
): Promise<TestSshd> {
  for (const each of addresses) {
    await mkdir(homeOf(each))
    await writeFile(join(homeOf(each), 'hosts'), usualHosts)
  }
  const [address = '', ...moreAddresses] = addresses
  return startSshd({
    trustedUserCa,
    principals: ['sync-agent'],
    address,
    moreAddresses,
    extraConfig: ['LogLevel ERROR'],
    matchConfig: addresses.flatMap((each) => [`Match LocalAddress ${each}`, `  SetEnv SHLVL=5 HOME=${homeOf(each)}`]),
  })
}

/** The number after a word such as `--nodes`. */
export function numberAfter(args: readonly string[], word: string, otherwise: number): number {
  const at = args.indexOf(word)
  if (at < 0) return otherwise
  const value = Number(args[at + 1])
  if (!Number.isInteger(value) || value < 1 || value > 100_000) throw new Error(`${word} takes a number from 1`)
  return value
}
