import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeAnswer, NodeChannels, NodeExchange, NodeOrder } from '../../../src/engine/ports.ts'
import { createNodeChannels } from '../../../src/engine/ssh/channels/nodeChannels.ts'
import { createSshPool, type SshPoolSettings } from '../../../src/engine/ssh/pool.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { type AppError, toAppError } from '../../../src/shared/errors.ts'
import type { Diagnosis } from '../../../src/shared/model/diagnosis.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { startSshd, type TestSshd, type TestSshdOptions } from '../../support/sshd.ts'
import { createTrust, nodeFor, type TestTrust } from '../../support/trust.ts'

export const timeoutMs = 30_000
export const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString())
export const bytes = (value: string): Uint8Array => Buffer.from(value)
export const isRoot = process.getuid?.() === 0

/** Which programs a node has; `usual` is this machine's. */
export type Programs = 'usual' | 'dash' | 'bash' | 'busybox'

/** Why nodes with these programs cannot be had here; null: they can. */
export function missing(programs: Programs): string | null {
  const path = { usual: '/bin/sh', dash: '/bin/dash', bash: '/bin/bash', busybox: '/bin/busybox' }[programs]
  return existsSync(path) ? null : `${path} is not installed`
}

const tools =
  'cat chattr chmod cp date dd env flock head id ln ls lsattr mkdir mktemp mv od printf readlink rm sed seq sha256sum sleep stat sudo sync touch tr true wc'

/** A directory for PATH: one shell as `sh`, no perl. */
async function programsOf(programs: Exclude<Programs, 'usual'>, directory: string): Promise<string> {
  const bin = join(directory, programs)
  await mkdir(bin, { recursive: true })
  if (programs === 'busybox') {
    execFileSync('/bin/busybox', ['--install', '-s', bin])
    await symlink('/usr/bin/sudo', join(bin, 'sudo'))
  } else {
    await symlink(`/bin/${programs}`, join(bin, 'sh'))
    for (const tool of tools.split(' ')) {
      const found = spawnSync('sh', ['-c', `command -v ${tool}`])
        .stdout.toString()
        .trim()
      if (found.startsWith('/')) await symlink(found, join(bin, tool))
    }
  }
  return bin
}

export interface NodeOptions extends TestSshdOptions {
  readonly programs?: Programs
  /** Scripts that go first in PATH, by name. */
  readonly commands?: Readonly<Record<string, string>>
  readonly overrides?: Partial<Record<keyof FleetNode, unknown>>
}

export interface ChannelRig {
  readonly directory: string
  readonly trust: TestTrust
  addNode(options?: NodeOptions): Promise<{ readonly node: FleetNode; readonly sshd: TestSshd }>
  channels(settings?: SshPoolSettings): NodeChannels & { readonly pool: ReturnType<typeof createSshPool> }
  reset(): Promise<void>
  stop(): Promise<void>
}

/** Not ours: a directory of this checkout may hold a space, which sshd_config cannot express there. */
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Real nodes of several make, and channels to them; files in a directory of its own. */
export async function createChannelRig(): Promise<ChannelRig> {
  const trust = await createTrust()
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-channels-'))
  await chmod(directory, 0o755)
  const servers: TestSshd[] = []
  const opened: ReturnType<ChannelRig['channels']>[] = []
  let made = 0
  const reset = async (): Promise<void> => {
    for (const channels of opened.splice(0)) {
      await channels.close()
      await channels.pool.close()
    }
    await Promise.all(servers.splice(0).map((server) => server.stop()))
  }
  return {
    directory,
    trust,
    addNode: async ({ programs = 'usual', commands = {}, overrides = {}, ...options } = {}) => {
      made += 1
      const home = join(directory, `node-${made}`)
      await mkdir(home)
      const first = join(home, 'bin')
      await mkdir(first)
      for (const [name, script] of Object.entries(commands)) await writeFile(join(first, name), script, { mode: 0o755 })
      const path = programs === 'usual' ? usualPath : await programsOf(programs, home)
      const sshd = await startSshd({
        trustedUserCa: trust.publicKey,
        principals: ['sync-agent'],
        ...options,
        extraConfig: [`SetEnv SHLVL=5 PATH=${first}:${path}`, ...(options.extraConfig ?? [])],
      })
      servers.push(sshd)
      return { node: nodeFor(sshd, overrides), sshd }
    },
    channels: (settings = {}) => {
      const pool = createSshPool({ identities: trust.identities, clock: systemClock, settings })
      const channels = Object.assign(createNodeChannels({ sshPool: pool, clock: systemClock }), { pool })
      opened.push(channels)
      return channels
    },
    reset,
    stop: async () => {
      await reset()
      await rm(directory, { recursive: true, force: true })
      await trust.stop()
    },
  }
}

/** Answers with content and output as text, so that they can be compared. */
export function readable(answer: NodeAnswer | undefined): unknown {
  if (answer?.kind === 'content') return { ...answer, content: text(answer.content) }
  if (answer?.kind === 'ran') return { ...answer, stdout: text(answer.stdout), stderr: text(answer.stderr) }
  return answer
}

/** One order, one answer. */
export async function order(channels: NodeChannels, node: FleetNode, wanted: NodeOrder): Promise<NodeAnswer> {
  const exchange = await channels.exchange(node, [wanted], { timeoutMs })
  return exchange.answers[0] as NodeAnswer
}

export async function failureOf(
  promise: Promise<NodeExchange>,
): Promise<AppError & { readonly diagnosis: Diagnosis | undefined }> {
  const thrown = await promise.then(
    () => {
      throw new Error('expected a failure')
    },
    (error: unknown) => toAppError(error),
  )
  return Object.assign(thrown, { diagnosis: thrown.data?.diagnosis as Diagnosis | undefined })
}

/** Names of what we leave beside a file for a moment. */
export async function temporaries(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.includes('.lockstep-'))
}
