import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { lstat, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sshTemplateFor } from '../../src/core/ca/stepCaGuide.ts'
import { exec } from '../../src/platform/exec.ts'
import { freePort } from './sshd.ts'
import { waitFor } from './waitFor.ts'

/** Where Debian's golang-github-smallstep-certificates-dev puts the library. */
const goPath = '/usr/share/gocode'
const sources = fileURLToPath(new URL('./stepCa/', import.meta.url))

/** Why no real step-ca can be built here; null when it can. */
export const stepCaMissing: string | null = missing()

/** For `beforeAll`: the first start on a machine compiles the authority, which takes a minute when nothing else runs. */
export const stepCaStartTimeoutMs = 600_000

/** As much of ca.json as tests change. */
export interface CaJson {
  ssh?: unknown
  authority: { provisioners: CaJsonProvisioner[] }
}

export interface CaJsonProvisioner {
  name: string
  options?: { ssh: { template: string } }
  claims?: unknown
  encryptedKey?: string
}

export interface TestStepCaOptions {
  /** Becomes its STEPPATH; is made when missing, and not removed. */
  readonly directory: string
  /** Default `ed25519` (S0.15, S0.16); `ecdsa` is what step makes unasked. */
  readonly sshKeys?: 'ed25519' | 'ecdsa'
  /** Changes ca.json before the start. Its provisioner has the template of the guide already (S0.19, S0.20). */
  readonly editConfig?: (config: CaJson) => void
}

export interface TestStepCa {
  /** `https://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  readonly rootFile: string
  /** SHA-256 of the root certificate, as `step certificate fingerprint` prints it (S0.29). */
  readonly rootFingerprint: string
  readonly provisioner: string
  readonly password: string
  /** Public key lines without a comment. */
  readonly sshUserCaKey: string
  readonly sshHostCaKey: string
  readonly configFile: string
  /** What it printed, with the requests it served. */
  log(): Promise<string>
  stop(): Promise<void>
}

/**
 * A real step-ca on loopback, set up as S0.4 to S0.20 describe.
 *
 * @returns when it says that it is well
 */
export async function startStepCa(options: TestStepCaOptions): Promise<TestStepCa> {
  const program = await builtProgram()
  const authority = await initialise(program, options)
  const logFile = join(options.directory, 'log')
  const child = serve(program, { ...authority, logFile, directory: options.directory })
  try {
    await waitFor('step-ca to be well', () => ended(child) || isWell(authority.port), { timeoutMs: 60_000 })
    if (ended(child)) throw new Error(`step-ca ended: ${await readFile(logFile, 'utf8')}`)
  } catch (error) {
    await end(child)
    throw error
  }
  return { ...authority, log: () => readFile(logFile, 'utf8'), stop: () => end(child) }
}

/** What a start says that cannot succeed, for configurations that step-ca does not take (D3). */
export async function failedStart(options: TestStepCaOptions): Promise<string> {
  const program = await builtProgram()
  const authority = await initialise(program, options)
  const args = ['serve', '--config', authority.configFile, '--password-file', passwordFile(options.directory)]
  const result = await exec({ command: program, args, timeoutMs: 60_000, okExitCodes: [1] })
  return result.stderr
}

/**
 * A server certificate for `name` from the authority in `directory`, for impostors that hold a real one.
 *
 * @returns PEM of certificate, intermediate and private key, for both `cert` and `key` of a TLS server
 */
export async function issueServerCertificate(directory: string, name: string): Promise<string> {
  const out = join(directory, `server-${name}.pem`)
  const args = ['issue', '--name', name, '--password-file', passwordFile(directory), '--out', out]
  await exec({ command: await builtProgram(), args, env: { STEPPATH: directory }, timeoutMs: 60_000 })
  return readFile(out, 'utf8')
}

type Initialised = Omit<TestStepCa, 'log' | 'stop'>

const provisioner = 'sync-provisioner'
const password = 'correct-horse-battery-staple-stepca'

function passwordFile(directory: string): string {
  return join(directory, 'password')
}

async function initialise(program: string, options: TestStepCaOptions): Promise<Initialised> {
  const { directory } = options
  const port = await freePort()
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(passwordFile(directory), `${password}\n`, { mode: 0o600 })
  const settings = {
    name: 'Sync SSH CA',
    dns: 'ca.internal,127.0.0.1',
    address: `127.0.0.1:${port}`,
    provisioner,
    'password-file': passwordFile(directory),
    'ssh-keys': options.sshKeys ?? 'ed25519',
  }
  const args = ['init', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])]
  await exec({ command: program, args, env: { STEPPATH: directory }, timeoutMs: 60_000 })
  const configFile = join(directory, 'config', 'ca.json')
  await editConfig(configFile, options)
  const rootFile = join(directory, 'certs', 'root_ca.crt')
  const publicKey = async (name: string) => (await readFile(join(directory, 'certs', name), 'utf8')).trim()
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    rootFile,
    rootFingerprint: fingerprintOfPem(await readFile(rootFile, 'utf8')),
    provisioner,
    password,
    sshUserCaKey: await publicKey('ssh_user_ca_key.pub'),
    sshHostCaKey: await publicKey('ssh_host_ca_key.pub'),
    configFile,
  }
}

/** SHA-256 of the DER inside, in hexadecimal: computed apart from the code under test. */
function fingerprintOfPem(pem: string): string {
  const base64 = pem.replace(/-----[^-]+-----|\s/g, '')
  return createHash('sha256').update(Buffer.from(base64, 'base64')).digest('hex')
}

async function editConfig(configFile: string, options: TestStepCaOptions): Promise<void> {
  const config = JSON.parse(await readFile(configFile, 'utf8')) as CaJson
  const first = config.authority.provisioners.find(({ name }) => name === provisioner)
  if (first === undefined) throw new Error('init made no provisioner')
  first.options = { ssh: { template: sshTemplateFor('sync-agent') } }
  options.editConfig?.(config)
  await writeFile(configFile, JSON.stringify(config, null, 2))
}

interface Serving {
  readonly configFile: string
  readonly directory: string
  readonly logFile: string
}

function serve(program: string, { configFile, directory, logFile }: Serving): ChildProcess {
  const log = openSync(logFile, 'a', 0o600)
  try {
    return spawn(program, ['serve', '--config', configFile, '--password-file', passwordFile(directory)], {
      stdio: ['ignore', log, log],
      env: { ...process.env, STEPPATH: directory },
    })
  } finally {
    closeSync(log)
  }
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** By its own handle, so never another process; KILL when TERM is not obeyed. */
async function end(child: ChildProcess): Promise<void> {
  if (ended(child)) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await gone
  clearTimeout(timer)
}

function isWell(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path: '/health', rejectUnauthorized: false, agent: false })
    sent.once('response', (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode === 200))
    })
    sent.once('error', () => resolve(false))
    sent.end()
  })
}

function missing(): string | null {
  if (spawnSync('go', ['version']).status !== 0) return 'go is not installed (Debian: golang-go)'
  const library = spawnSync('test', ['-d', join(goPath, 'src/github.com/smallstep/certificates')])
  return library.status === 0 ? null : 'the step-ca library is not installed (golang-github-smallstep-certificates-dev)'
}

/** Compiles once per state of the sources, into a cache of this user outside the checkout. */
async function builtProgram(): Promise<string> {
  const cache = await ownCache()
  const program = join(cache, `step-ca-${await sourcesDigest()}`)
  if (await isFile(program)) return program
  // Held by the kernel for as long as flock lives: of several builders one works, the others wait and find the result.
  const script = 'test -x "$2" || { cd "$1" && go build -trimpath -buildvcs=false -o "$2.new" . && mv "$2.new" "$2"; }'
  await exec({
    command: 'flock',
    args: [join(cache, 'lock'), 'sh', '-c', script, 'build', sources, program],
    env: { GO111MODULE: 'off', GOPATH: goPath, GOCACHE: join(cache, 'go-build'), GOFLAGS: '', CGO_ENABLED: '0' },
    timeoutMs: stepCaStartTimeoutMs,
  })
  return program
}

/** Nobody else may put a program there: a directory in /tmp that is not ours alone is not used. */
async function ownCache(): Promise<string> {
  const cache = join(tmpdir(), `lockstep-test-cache-${userInfo().uid}`)
  await mkdir(cache, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const found = await lstat(cache)
  if (found.isDirectory() && found.uid === userInfo().uid && (found.mode & 0o077) === 0) return cache
  throw new Error(`${cache} is not a private directory of this user: remove it`)
}

async function sourcesDigest(): Promise<string> {
  const hash = createHash('sha256')
  for (const name of (await readdir(sources)).filter((file) => file.endsWith('.go')).sort()) {
    hash.update(`${name}\0`).update(await readFile(join(sources, name)))
  }
  return hash.digest('hex').slice(0, 16)
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
