import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { knownHostName } from '../../../src/core/agent/sshConfig.ts'
import {
  certificateSigner,
  encodeCertificate,
  formatCertificateLine,
} from '../../../src/platform/openssh/certificate.ts'
import { ed25519Blob, formatPublicKeyLine, parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import { startSshd, type TestSshd, type TestSshdOptions } from '../../support/sshd.ts'
import { buildBundle } from './bundle.ts'
import { startControlPlane, type TestControlPlane } from './controlPlane.ts'

const repository = join(import.meta.dirname, '../../..')
const sourceEntry = join(repository, 'src/agent/main.ts')

export interface AgentAnswer {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface SshAuthority {
  readonly publicKey: string
  issue(publicKey: string, options?: IssueOptions): string
}

export interface IssueOptions {
  readonly principals?: readonly string[]
  readonly validForSeconds?: number
  readonly beginsInSeconds?: number
  readonly type?: 'user' | 'host'
}

/** An SSH user authority of the test. */
export function createSshAuthority(): SshAuthority {
  const { privateKey } = generateKeyPairSync('ed25519')
  const signer = certificateSigner(privateKey)
  let serial = 0n
  return {
    publicKey: formatPublicKeyLine(ed25519Blob(privateKey)),
    issue: (
      publicKey,
      { principals = ['sync-agent'], validForSeconds = 7200, beginsInSeconds = -60, type = 'user' } = {},
    ) => {
      serial += 1n
      const nowSeconds = Math.floor(Date.now() / 1000)
      const content = {
        type,
        subjectBlob: parsePublicKeyLine(publicKey).blob,
        serial,
        keyId: 'agent-01',
        principals,
        validAfterSeconds: nowSeconds + beginsInSeconds,
        validBeforeSeconds: nowSeconds + validForSeconds,
        criticalOptions: {},
        extensions: {},
      }
      return formatCertificateLine(encodeCertificate(content, signer))
    },
  }
}

export interface AgentRig {
  readonly directory: string
  readonly config: string
  readonly state: string
  readonly lockFile: string
  readonly source: string
  readonly target: string
  readonly controlPlane: TestControlPlane
  readonly authority: SshAuthority
  readonly sshd: TestSshd
  /** Writes `agent.yaml`, `change` merged into its top level. */
  configure(change?: Record<string, unknown>): Promise<void>
  agent(...args: string[]): Promise<AgentAnswer>
  agentJson<T>(...args: string[]): Promise<T>
  spawnAgent(...args: string[]): ChildProcess
  /** `joinSecret`: of another control plane than the one of this rig. */
  enroll(joinSecret?: string): Promise<void>
  fill(files: number): Promise<void>
  stop(): Promise<void>
}

export interface RigOptions {
  readonly sshd?: TestSshdOptions
  /** Run the sources instead of the bundle that is shipped. */
  readonly fromSource?: boolean
  /** Another Node than the one of the tests. */
  readonly node?: string
}

/** A host with an agent, a control plane and a storage that lets certificates in and nothing else. */
export async function createAgentRig(options: RigOptions = {}): Promise<AgentRig> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-agent-'))
  const at = (name: string): string => join(directory, name)
  const [config, state, lockFile, source, target] = ['etc', 'state', 'sync-agent.lock', 'source', 'storage'].map(at)
  if (!config || !state || !lockFile || !source || !target) throw new Error('unreachable')
  const authority = createSshAuthority()
  const controlPlane = await startControlPlane()
  controlPlane.issueSsh = async ({ publicKey }) => authority.issue(publicKey)
  const sshd = await startSshd({ trustedUserCa: authority.publicKey, principals: ['sync-agent'], ...options.sshd })
  for (const folder of [config, source, target]) await mkdir(folder, { recursive: true })
  const command = [options.fromSource === true ? sourceEntry : await buildBundle(at('program'))]
  const node = options.node ?? process.execPath
  const children = new Set<ChildProcess>()

  const configure: AgentRig['configure'] = async (change = {}) => {
    const file = {
      storage: { host: sshd.address, port: sshd.port, user: userInfo().username },
      sync: { push: [{ source, target }] },
      lock_file: lockFile,
      state_directory: state,
      control_plane: { request_timeout_seconds: 2, registration_timeout_seconds: 2 },
      ...change,
    }
    await writeFile(join(config, 'agent.yaml'), stringify(file))
  }
  const agent: AgentRig['agent'] = (...args) =>
    new Promise((resolve) => {
      const child = execFile(
        node,
        [...command, ...args, '--config', config],
        { maxBuffer: 64 << 20, encoding: 'utf8' },
        (_error, stdout, stderr) => resolve({ exitCode: child.exitCode, stdout, stderr }),
      )
    })
  const rig: AgentRig = {
    directory,
    config,
    state,
    lockFile,
    source,
    target,
    controlPlane,
    authority,
    sshd,
    configure,
    agent,
    agentJson: async <T>(...args: string[]) => {
      const answer = await agent(...args, '--json')
      try {
        return JSON.parse(answer.stdout) as T
      } catch {
        throw new Error(`exit ${answer.exitCode}: ${answer.stdout}${answer.stderr}`)
      }
    },
    spawnAgent: (...args) => {
      const child = spawn(node, [...command, ...args, '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] })
      children.add(child)
      return child
    },
    enroll: async (joinSecret = controlPlane.joinSecret()) => {
      await configure()
      const { exitCode, stderr } = await agent('enroll', '--join', joinSecret)
      if (exitCode !== 0) throw new Error(`not enrolled: ${stderr}`)
      const known = sshd.hostKeys.map((key) => `${knownHostName(sshd.address, sshd.port)} ${key}\n`)
      await writeFile(join(config, 'ssh', 'known_hosts'), known.join(''))
    },
    fill: async (files) => {
      for (let index = 0; index < files; index += 1) {
        const folder = join(source, `d${index % 10}`)
        if (index < 10) await mkdir(folder, { recursive: true })
        await writeFile(join(folder, `f${index}.txt`), `content ${index}\n`)
      }
    },
    stop: async () => {
      for (const child of children) await ended(child)
      await controlPlane.stop()
      await sshd.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
  return rig
}

export function ended(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
    child.once('exit', (code) => resolve(code))
    child.kill(signal)
  })
}

/** What `run --json` prints. */
export interface RunAnswer {
  readonly lockedOut: boolean
  readonly runId: string
  readonly key: string
  readonly status: string
  readonly state: string
  readonly summary: {
    readonly filesTotal: number
    readonly filesTransferred: number
    readonly bytesTransferred: number
  } | null
  readonly proof: { readonly digest: string; readonly filesVerified: number; readonly verify: unknown } | null
  readonly failure: { readonly code: string; readonly sentence: string; readonly evidence: string[] } | null
  readonly halt: { readonly reason: string; readonly diagnosis: { readonly sentence: string } } | null
  readonly warnings: readonly { readonly code: string; readonly message: string }[]
  readonly visits: readonly { readonly state: string; readonly outcome: string; readonly attempt: number }[]
  readonly reported: boolean
  readonly problem: string | null
}
