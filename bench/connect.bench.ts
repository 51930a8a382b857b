import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSshPool } from '../src/engine/ssh/pool.ts'
import { systemClock } from '../src/platform/clock.ts'
import { exec } from '../src/platform/exec.ts'
import { parsePublicKeyLine } from '../src/platform/openssh/publicKey.ts'
import type { FleetNode } from '../src/shared/model/node.ts'
import { sshdMissing, startSshd, type TestSshd } from '../test/support/sshd.ts'
import { createTrust, nodeFor, type TestTrust } from '../test/support/trust.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, type Samples, toRow } from './report.ts'

const rounds = 5
const defaultNodes = 200
/** sshd listens on no more than 16 addresses. */
const addressesPerServer = 16
const deadlineMs = 120_000

interface Fleet {
  readonly nodes: readonly FleetNode[]
  stop(): Promise<void>
}

/**
 * Connect, verify the host key, log in with a certificate, run `true`: on every node once, from nothing open. Each
 * node is a loopback address of its own. Against `xargs -P 16 ssh` with the same key exchange; wall time, and CPU of
 * the client side alone (ours: this process; the peer's: user and system time of xargs and all its children).
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  if (sshdMissing !== null) throw new Error(sshdMissing)
  const count = nodeCount(args)
  const trust = await createTrust()
  const fleet = await startFleet(trust, count)
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-connect-'))
  try {
    await preparePeer(trust, { directory, nodes: fleet.nodes })
    await trust.identities.ensureMany(fleet.nodes, 'automation')
    const samples = await measure(trust, { directory, nodes: fleet.nodes })
    return { bench: 'connect', machine: thisMachine(), rows: samples.map(toRow) }
  } finally {
    await rm(directory, { recursive: true, force: true })
    await fleet.stop()
    await trust.stop()
  }
}

function nodeCount(args: readonly string[]): number {
  const count = Number(args.find((word) => /^\d+$/.test(word)) ?? defaultNodes)
  if (count < 1 || count > 4_000) throw new Error('the number of nodes must be 1 to 4000')
  return count
}

async function startFleet(trust: TestTrust, count: number): Promise<Fleet> {
  const servers: TestSshd[] = []
  const nodes: FleetNode[] = []
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())))
  try {
    for (let block = 0; nodes.length < count; block += 1) {
      const addresses = Array.from(
        { length: Math.min(addressesPerServer, count - nodes.length) },
        (_, index) => `127.1.${block}.${index + 1}`,
      )
      const [address = '', ...moreAddresses] = addresses
      const server = await startSshd({
        trustedUserCa: trust.publicKey,
        principals: ['sync-agent'],
        address,
        moreAddresses,
        extraConfig: ['LogLevel ERROR'],
      })
      servers.push(server)
      nodes.push(...addresses.map((each) => nodeFor({ ...server, address: each })))
    }
    return { nodes, stop }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

interface Bench {
  readonly directory: string
  readonly nodes: readonly FleetNode[]
}

/** What an admin would have: a key and its certificate in files, known hosts, and the cheaper key exchange. */
async function preparePeer(trust: TestTrust, { directory, nodes }: Bench): Promise<void> {
  const key = join(directory, 'key')
  await exec({ command: 'ssh-keygen', args: ['-q', '-t', 'ed25519', '-N', '', '-f', key] })
  const subjectPublicKey = parsePublicKeyLine(await readFile(`${key}.pub`, 'utf8')).blob
  const [issued] = await trust.authority.sign([
    {
      subjectPublicKey,
      keyId: 'bench',
      principals: ['sync-agent'],
      purpose: 'automation',
      lifetimeSeconds: 3600,
      requestedBy: 'bench',
      reason: 'bench',
    },
  ])
  await writeFile(`${key}-cert.pub`, `${issued?.certificate}\n`)
  const known = nodes.flatMap((node) =>
    node.hostKeys.map((pin) => `[${node.address}]:${node.port} ${pin.keyType} ${pin.publicKey}\n`),
  )
  await writeFile(join(directory, 'known_hosts'), known.join(''))
  const lines = [
    `IdentityFile ${key}`,
    `CertificateFile ${key}-cert.pub`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${directory}/known_hosts`,
    'StrictHostKeyChecking yes',
    'BatchMode yes',
    'LogLevel ERROR',
  ]
  await writeFile(join(directory, 'config'), `${lines.join('\n')}\n`)
}

interface Cost {
  readonly wallMs: number
  readonly cpuMs: number
}

async function measure(trust: TestTrust, bench: Bench): Promise<Samples[]> {
  const ours: Cost[] = []
  const peer: Cost[] = []
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await connectOurs(trust, bench))
    peer.push(await connectPeer(bench))
  }
  const name = 'xargs -P 16 ssh, curve25519'
  const label = `connect, log in, true: ${bench.nodes.length} nodes`
  return [
    {
      case: label,
      metric: 'wall',
      unit: 'ms',
      ours: ours.map((cost) => cost.wallMs),
      peer: { name, samples: peer.map((cost) => cost.wallMs) },
    },
    {
      case: label,
      metric: 'client CPU',
      unit: 'ms',
      ours: ours.map((cost) => cost.cpuMs),
      peer: { name, samples: peer.map((cost) => cost.cpuMs) },
    },
  ]
}

async function connectOurs(trust: TestTrust, { nodes }: Bench): Promise<Cost> {
  const pool = createSshPool({ identities: trust.identities, clock: systemClock })
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  const results = await Promise.all(nodes.map((node) => pool.exec(node, 'true', { timeoutMs: deadlineMs })))
  const wallMs = performance.now() - startedMs
  const cpu = process.cpuUsage(cpuBefore)
  await pool.close()
  const failures = results.filter((result) => result.exitCode !== 0).length
  if (failures > 0) throw new Error(`${failures} of our commands failed`)
  return { wallMs, cpuMs: (cpu.user + cpu.system) / 1000 }
}

async function connectPeer({ directory, nodes }: Bench): Promise<Cost> {
  const command = `exec ssh -F ${directory}/config -o KexAlgorithms=curve25519-sha256 -p "$1" "$0" true`
  const script = `TIMEFORMAT='%R %U %S'; time xargs -P 16 -L 1 sh -c '${command}'`
  const stdin = nodes.map((node) => `${node.address} ${node.port}\n`).join('')
  const { stderr } = await exec({ command: 'bash', args: ['-c', script], stdin, timeoutMs: deadlineMs })
  const [real = 0, user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number)
  return { wallMs: real * 1000, cpuMs: (user + system) * 1000 }
}
