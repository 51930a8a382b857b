import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { exec } from '../../../src/platform/exec.ts'
import type { TestApiServer } from './apiServer.ts'

const folders = (process.env.PATH ?? '').split(delimiter)

/** Why the real kubectl cannot be the judge here; null when it can. */
export const kubectlMissing: string | null = folders.some((folder) => existsSync(join(folder, 'kubectl')))
  ? null
  : 'kubectl is not installed (Debian: kubernetes-client)'

export interface KubeconfigOptions {
  readonly directory: string
  readonly name?: string
  /** The user of the file; default the token. */
  readonly user?: Readonly<Record<string, unknown>>
  readonly token?: string
  /** Another address than that of the server, such as a proxy's. */
  readonly url?: string
  /** In the place of the server's authority. */
  readonly trust?: Readonly<Record<string, unknown>>
}

/** A kubeconfig as an administrator is given one. @returns its path */
export async function writeKubeconfig(server: TestApiServer, options: KubeconfigOptions): Promise<string> {
  const { directory, name = 'test', token = 'unused' } = options
  const url = options.url ?? server.url
  const usual = url.startsWith('https')
    ? { 'certificate-authority-data': Buffer.from(server.certificates.authority).toString('base64') }
    : {}
  const file = join(directory, `kubeconfig-${name}`)
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url, ...(options.trust ?? usual) } }],
    users: [{ name: 'operator', user: options.user ?? { token } }],
    contexts: [{ name, context: { cluster: name, user: 'operator' } }],
    'current-context': name,
  }
  await writeFile(file, JSON.stringify(content, null, 2), { mode: 0o600 })
  return file
}

export interface Kubectl {
  /** @returns stdout; rejects when kubectl says no */
  run(
    args: readonly string[],
    options?: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> },
  ): Promise<string>
  /** Starts `kubectl get -w`; each line is one change. */
  watch(args: readonly string[]): {
    readonly lines: readonly string[]
    readonly errors: () => string
    stop(): Promise<void>
  }
}

/** The real kubectl, with a home of its own so that no cache is shared. */
export function kubectlFor(kubeconfig: string, home: string): Kubectl {
  const environment = { KUBECONFIG: kubeconfig, HOME: home, KUBECTL_COMMAND_HEADERS: 'false' }
  return {
    run: async (args, { stdin, env } = {}) => {
      const input = stdin === undefined ? {} : { stdin }
      const result = await exec({
        command: 'kubectl',
        args,
        env: { ...environment, ...env },
        timeoutMs: 60_000,
        ...input,
      })
      return result.stdout
    },
    watch: (args) => {
      const child = spawn('kubectl', [...args], {
        env: { ...process.env, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const lines: string[] = []
      let rest = ''
      let errors = ''
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        const parts = (rest + chunk).split('\n')
        rest = parts.pop() ?? ''
        lines.push(...parts)
      })
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        errors += chunk
      })
      return { lines, errors: () => errors, stop: () => ended(child) }
    },
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
}
