import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import PQueue from 'p-queue'
import { rulesVersion } from '../../../core/scan/findSecrets.ts'
import type { ScanOutcome, SecretScanner } from '../../ports.ts'
import { describeGitleaks, searchWithGitleaks } from './gitleaks.ts'
import { canceled, searchInThread } from './searchThread.ts'

export interface SecretScannerDependencies {
  /** Made when it is missing. Copies for gitleaks lie there while it runs, so it belongs to one engine alone. */
  readonly privateDirectory: string
  /** Of the thread that searches; left out: ours. */
  readonly workerProgram?: string
  readonly fileLimitMs?: number
}

type ScanRequest = Parameters<SecretScanner['scan']>[0]

/** Each is a thread with memory of its own; the others wait. */
const searchesAtOnce = 2
const usualFileLimitMs = 60_000
const copyPrefix = 'scan-'

/** Not called `require`: the bundles may have one of that name. */
const load = createRequire(import.meta.url)

/** See {@link SecretScanner}. Nothing is loaded or started before the first scan. */
export function createSecretScanner(dependencies: SecretScannerDependencies): SecretScanner {
  const queue = new PQueue({ concurrency: searchesAtOnce })
  let swept: Promise<void> | undefined

  const sweepOnce = (): Promise<void> => {
    swept ??= sweep(dependencies.privateDirectory)
    return swept
  }

  return {
    scan: async (request) => {
      const { signal } = request
      if (signal?.aborted === true) throw canceled(signal)
      const outcome = await queue.add(async () => {
        if (signal?.aborted === true) throw canceled(signal)
        if (request.settings.tool !== 'builtin') await sweepOnce()
        return scan(dependencies, request)
      })
      return outcome
    },
    describe: (settings) => describe(settings),
  }
}

async function describe({ tool, configPath }: ScanRequest['settings'], signal?: AbortSignal): Promise<string> {
  const own = `lockstep rules ${rulesVersion}, secretlint ${libraryVersion()}`
  if (tool === 'builtin') return own
  const gitleaks = await describeGitleaks(configPath, signal)
  // Files that are no text are searched here, too: gitleaks does not look into them.
  return tool === 'gitleaks' ? `${gitleaks}, lockstep rules ${rulesVersion}` : `${own}, ${gitleaks}`
}

function libraryVersion(): string {
  const { version } = load('@secretlint/core/package.json') as { readonly version: string }
  return version
}

async function scan(dependencies: SecretScannerDependencies, request: ScanRequest): Promise<ScanOutcome> {
  const { tool: choice } = request.settings
  // Before the search: a program that is missing is said at once, and a configuration that changes meanwhile is the old one.
  const tool = await describe(request.settings, request.signal)
  if (choice === 'builtin') {
    const { copiedAs: _, ...outcome } = await search(dependencies, request, null)
    return { ...outcome, tool }
  }
  const directory = await mkdtemp(join(dependencies.privateDirectory, copyPrefix))
  try {
    const copy = join(directory, 'tree')
    await mkdir(copy, { mode: 0o700 })
    const { copiedAs, findings, ...outcome } = await search(dependencies, request, copy)
    const { settings, salt, signal } = request
    const theirs = await searchWithGitleaks({
      copy,
      copiedAs,
      privateDirectory: directory,
      configPath: settings.configPath,
      salt,
      signal,
    })
    return { ...outcome, findings: [...findings, ...theirs], tool }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function search(
  { fileLimitMs = usualFileLimitMs, workerProgram }: SecretScannerDependencies,
  { directory, files, salt, settings, signal }: ScanRequest,
  copyTo: string | null,
): ReturnType<typeof searchInThread> {
  const request = { directory, files, salt, search: settings.tool !== 'gitleaks', copyTo }
  return searchInThread(request, { signal, fileLimitMs, program: workerProgram })
}

/** Copies that a crash left behind. */
async function sweep(privateDirectory: string): Promise<void> {
  await mkdir(privateDirectory, { recursive: true, mode: 0o700 })
  const left = (await readdir(privateDirectory)).filter((name) => name.startsWith(copyPrefix))
  await Promise.all(left.map((name) => rm(join(privateDirectory, name), { recursive: true, force: true })))
}
