import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import envPaths from 'env-paths'
import { AppError } from '../shared/errors.ts'
import { explainFileError } from './fileErrors.ts'

/** Where everything of one installation lies: all of it under one directory that can be copied and deleted as one. */
export interface HomePaths {
  readonly home: string
  /** Settings a person may edit; may be absent. */
  readonly configFile: string
  readonly lockFile: string
  readonly dataDirectory: string
  readonly databaseFile: string
  /** Output of runs and our own log. */
  readonly logsDirectory: string
  readonly engineLogFile: string
  /** 0700: sealed keys and what unseals them. */
  readonly keysDirectory: string
  readonly vaultFile: string
  /** 0700: sockets and generated files; nothing here outlives the engine. */
  readonly runDirectory: string
  readonly engineSocket: string
  readonly agentSocket: string
  /** Generated ssh configuration, certificates and known_hosts. */
  readonly sshDirectory: string
  readonly demoDirectory: string
  /** 0700: mirrors of repositories and the snapshots that are delivered. */
  readonly repositoriesDirectory: string
  readonly backupsDirectory: string
}

/** Names everything below a home directory. Touches no file. */
export function homePaths(homeDirectory: string): HomePaths {
  const home = resolve(homeDirectory)
  const data = join(home, 'data')
  const keys = join(home, 'keys')
  const run = join(home, 'run')
  return {
    home,
    configFile: join(home, 'config.yaml'),
    lockFile: join(home, 'engine.lock'),
    dataDirectory: data,
    databaseFile: join(data, 'lockstep.db'),
    logsDirectory: join(data, 'logs'),
    engineLogFile: join(data, 'logs', 'engine.log'),
    keysDirectory: keys,
    vaultFile: join(keys, 'vault.json'),
    runDirectory: run,
    engineSocket: join(run, 'engine.sock'),
    agentSocket: join(run, 'agent.sock'),
    sshDirectory: join(run, 'ssh'),
    demoDirectory: join(home, 'demo'),
    repositoriesDirectory: join(home, 'repositories'),
    backupsDirectory: join(home, 'backups'),
  }
}

/** @returns the home to use: `--home`, else LOCKSTEP_HOME, else where this system keeps a program's data */
export function resolveHomeDirectory(
  argument: string | undefined,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const chosen = [argument, environment.LOCKSTEP_HOME].find((value) => value !== undefined && value !== '')
  return resolve(chosen ?? envPaths('lockstep', { suffix: '' }).data)
}

/** What fits `sun_path` of every system we run on (macOS: 104 bytes with the closing NUL). */
export const socketPathLimitBytes = 104

/**
 * Makes a home usable: directories with mode 0700, a proof that it can be written, sockets that can be bound.
 * Safe to repeat; widened permissions are narrowed again.
 *
 * @throws AppError HOME_PATH_TOO_LONG before anything is created, HOME_NOT_WRITABLE, LOCAL_DISK_FULL
 */
export async function prepareHome(paths: HomePaths): Promise<void> {
  assertSocketsFit(paths)
  const directories = [
    paths.home,
    paths.dataDirectory,
    paths.logsDirectory,
    paths.keysDirectory,
    paths.runDirectory,
    paths.sshDirectory,
    paths.demoDirectory,
    paths.repositoriesDirectory,
    paths.backupsDirectory,
  ]
  for (const directory of directories) await makePrivateDirectory(directory)
  await proveWritable(paths.home)
}

function assertSocketsFit({ engineSocket, agentSocket, home }: HomePaths): void {
  const longest = [engineSocket, agentSocket].sort(
    (left, right) => Buffer.byteLength(right) - Buffer.byteLength(left),
  )[0]
  const lengthBytes = Buffer.byteLength(longest ?? '') + 1
  if (process.platform === 'win32' || lengthBytes <= socketPathLimitBytes) return
  const excessBytes = lengthBytes - socketPathLimitBytes
  throw new AppError(
    'HOME_PATH_TOO_LONG',
    `the home directory's path is ${excessBytes} bytes too long: the socket ${longest} needs ${lengthBytes} bytes and ` +
      `the system allows ${socketPathLimitBytes}. Choose a shorter one with --home or LOCKSTEP_HOME.`,
    { data: { home, socket: longest, lengthBytes, limitBytes: socketPathLimitBytes } },
  )
}

async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o700)
  } catch (error) {
    throw notWritable(error, path)
  }
}

async function proveWritable(directory: string): Promise<void> {
  const probe = join(directory, `.probe-${randomUUID()}`)
  try {
    await writeFile(probe, 'probe', { flag: 'wx', mode: 0o600, flush: true })
    await rm(probe)
  } catch (error) {
    await rm(probe, { force: true }).catch(() => undefined)
    throw notWritable(error, directory)
  }
}

function notWritable(error: unknown, path: string): unknown {
  const explained = explainFileError(error, path)
  if (explained instanceof AppError) return explained
  const reason = (error as NodeJS.ErrnoException).code
  return new AppError('HOME_NOT_WRITABLE', `${path} cannot be used as a directory (${reason ?? 'unknown reason'})`, {
    data: { path, reason },
    cause: error,
  })
}
