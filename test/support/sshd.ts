import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

const sshdPath = '/usr/sbin/sshd'

/** Why real-sshd tests cannot run here; null when they can. */
export const sshdMissing: string | null = existsSync(sshdPath)
  ? null
  : `${sshdPath} is not installed (Debian: openssh-server)`

export interface TestSshdOptions {
  /** One public key line; omitted: the server trusts no authority. */
  readonly trustedUserCa?: string
  /** Principals that may log in as our own user. Omitted: only a principal equal to the user name. */
  readonly principals?: readonly string[]
  /** Public key lines that may log in as our own user. Omitted: certificates only. */
  readonly authorizedKeys?: readonly string[]
  readonly hostKeyTypes?: readonly ('ed25519' | 'ecdsa' | 'rsa')[]
  /** More lines of sshd_config. First value wins in sshd, so these go first. */
  readonly extraConfig?: readonly string[]
  readonly address?: string
  /** Further addresses on the same port; sshd takes 16 in all. */
  readonly moreAddresses?: readonly string[]
  /** `Match` blocks; they end the configuration. */
  readonly matchConfig?: readonly string[]
}

export interface TestSshd {
  readonly address: string
  readonly port: number
  /** Login user: the one this test runs as. */
  readonly user: string
  readonly directory: string
  /** Public key lines, in the order of `hostKeyTypes`. */
  readonly hostKeys: readonly string[]
  log(): Promise<string>
  stop(): Promise<void>
}

/** A real sshd on loopback, in a directory of its own. @returns when it accepts connections */
export async function startSshd(options: TestSshdOptions = {}): Promise<TestSshd> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-sshd-'))
  const address = options.address ?? '127.0.0.1'
  const port = await freePort(address)
  const user = userInfo().username
  const hostKeys = await makeHostKeys(directory, options.hostKeyTypes ?? ['ed25519'])
  await writeFile(join(directory, 'sshd_config'), await configuration({ directory, address, port, options }))
  const child = spawn(sshdPath, ['-D', '-f', join(directory, 'sshd_config'), '-E', join(directory, 'log')], {
    stdio: 'ignore',
  })
  await waitForPort(address, port, child)
  return {
    address,
    port,
    user,
    directory,
    hostKeys,
    log: () => readFile(join(directory, 'log'), 'utf8').catch(() => ''),
    stop: async () => {
      await ended(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}

interface Configuration {
  readonly directory: string
  readonly address: string
  readonly port: number
  readonly options: TestSshdOptions
}

async function configuration({ directory, address, port, options }: Configuration): Promise<string> {
  const types = options.hostKeyTypes ?? ['ed25519']
  // Privilege separation needs this directory when sshd runs as root.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const lines = [
    ...(options.extraConfig ?? []),
    ...[address, ...(options.moreAddresses ?? [])].map((listen) => `ListenAddress ${listen}`),
    `Port ${port}`,
    ...types.map((type) => `HostKey ${join(directory, `host_${type}`)}`),
    `PidFile ${join(directory, 'pid')}`,
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PubkeyAuthentication yes',
    `AuthorizedKeysFile ${options.authorizedKeys === undefined ? 'none' : join(directory, 'authorized_keys')}`,
    'PermitRootLogin yes',
    'UseDNS no',
    'PrintMotd no',
    'PrintLastLog no',
    'LogLevel VERBOSE',
    'MaxStartups 200:30:400',
    // bash sources ~/.bashrc on every exec over ssh unless it believes to be nested.
    'SetEnv SHLVL=5',
  ]
  if (options.trustedUserCa !== undefined) {
    await writeFile(join(directory, 'user_ca.pub'), `${options.trustedUserCa}\n`)
    lines.push(`TrustedUserCAKeys ${join(directory, 'user_ca.pub')}`)
  }
  if (options.authorizedKeys !== undefined)
    await writeFile(join(directory, 'authorized_keys'), `${options.authorizedKeys.join('\n')}\n`)
  if (options.principals !== undefined) {
    await writeFile(join(directory, 'principals'), `${options.principals.join('\n')}\n`)
    lines.push(`AuthorizedPrincipalsFile ${join(directory, 'principals')}`)
  }
  return `${[...lines, ...(options.matchConfig ?? [])].join('\n')}\n`
}

async function makeHostKeys(directory: string, types: readonly string[]): Promise<string[]> {
  const lines: string[] = []
  for (const type of types) {
    const path = join(directory, `host_${type}`)
    const made = spawnSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', path])
    if (made.status !== 0) throw new Error(`ssh-keygen failed: ${made.stderr}`)
    await chmod(path, 0o600)
    lines.push((await readFile(`${path}.pub`, 'utf8')).trim())
  }
  return lines
}

/** A loopback port that nobody listens on right now. */
export function freePort(address = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, address, () => {
      const bound = server.address()
      server.close(() =>
        bound !== null && typeof bound === 'object' ? resolve(bound.port) : reject(new Error('no port')),
      )
    })
  })
}

async function waitForPort(address: string, port: number, child: ChildProcess): Promise<void> {
  const until = Date.now() + 10_000
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`sshd ended with ${child.exitCode}`)
    if (await answers(address, port)) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  child.kill()
  throw new Error('sshd did not start within 10 s')
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address)
    socket.once('data', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}

/** Polls until `condition` gives something; for states that nobody announces. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  what: string,
  timeoutMs = 10_000,
): Promise<NonNullable<T>> {
  const until = Date.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== false && value !== null && value !== undefined) return value
    if (Date.now() > until) throw new Error(`did not happen within ${timeoutMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
