import { access, readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { hasErrorCode } from '../../../platform/fileErrors.ts'
import { AppError } from '../../../shared/errors.ts'
import type { SourcePlace } from '../../../shared/model/registrySource.ts'

export type ConfigMapPlace = Extract<SourcePlace, { kind: 'configMap' }>

const optionalText = z.string().nullish()

const ClusterEntry = z.looseObject({
  server: z.url({ protocol: /^https?$/ }),
  'certificate-authority': optionalText,
  'certificate-authority-data': optionalText,
  'insecure-skip-tls-verify': z.boolean().nullish(),
  'tls-server-name': optionalText,
  'proxy-url': optionalText,
})

/** A credential plugin, as client.authentication.k8s.io describes it. */
export const ExecEntry = z.looseObject({
  apiVersion: z.string(),
  command: z.string().min(1),
  args: z.array(z.string()).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  interactiveMode: optionalText,
  provideClusterInfo: z.boolean().nullish(),
})
export type ExecEntry = z.infer<typeof ExecEntry>

const UserEntry = z.looseObject({
  token: optionalText,
  tokenFile: optionalText,
  username: optionalText,
  password: optionalText,
  'client-certificate': optionalText,
  'client-certificate-data': optionalText,
  'client-key': optionalText,
  'client-key-data': optionalText,
  as: optionalText,
  'as-groups': z.array(z.string()).nullish(),
  'auth-provider': z.looseObject({ name: z.string() }).nullish(),
  exec: ExecEntry.nullish(),
})

const ContextEntry = z.looseObject({ cluster: z.string(), user: optionalText })

const NamedEntries = z
  .array(z.looseObject({ name: z.string() }))
  .nullish()
  .transform((entries) => entries ?? [])

const Kubeconfig = z.object({
  clusters: NamedEntries,
  contexts: NamedEntries,
  users: NamedEntries,
  'current-context': optionalText,
})
type Kubeconfig = z.infer<typeof Kubeconfig>
type Lists = 'clusters' | 'contexts' | 'users'

/** Under which key an entry of each list has what it says. */
const bodyKeys = { clusters: 'cluster', contexts: 'context', users: 'user' } as const

/** What of the kubeconfigs counts for one source; paths are absolute. */
export interface ChosenContext {
  readonly contextName: string
  readonly clusterName: string
  readonly cluster: z.infer<typeof ClusterEntry>
  readonly user: z.infer<typeof UserEntry>
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount'

/**
 * Finds the cluster and the credentials of a place as kubectl does: the file it names, else `KUBECONFIG`, else
 * `~/.kube/config`, else the service account of the pod we run in. Of two entries with one name the first counts.
 *
 * @throws AppError INVALID_INPUT. It never quotes the file, which may hold tokens.
 */
export async function chooseContext(
  place: Pick<ConfigMapPlace, 'kubeconfigFile' | 'context'>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ChosenContext> {
  const files = await kubeconfigFiles(place, environment)
  if (files.length === 0) return inCluster(environment)
  const configs = await Promise.all(files.map(readKubeconfig))
  const where = files.join(', ')
  const contextName = place.context ?? configs.map((config) => config['current-context']).find(Boolean)
  if (contextName == null)
    throw invalid(`${where} has no current-context. Name a context in the source`, namesIn(configs, 'contexts'))
  const context = find(configs, 'contexts', { name: contextName, where, schema: ContextEntry })
  const { user } = context
  return {
    contextName,
    clusterName: context.cluster,
    cluster: find(configs, 'clusters', { name: context.cluster, where, schema: ClusterEntry }),
    user: user == null || user === '' ? {} : find(configs, 'users', { name: user, where, schema: UserEntry }),
  }
}

async function kubeconfigFiles(
  place: Pick<ConfigMapPlace, 'kubeconfigFile'>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly string[]> {
  if (place.kubeconfigFile !== null) return [withHome(place.kubeconfigFile, environment)]
  const named = (environment.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  if (named.length > 0) return filesThere(named)
  const usual = join(environment.HOME ?? homedir(), '.kube', 'config')
  return (await isThere(usual)) ? [usual] : []
}

/** Of several files some may be missing, as kubectl has it. */
async function filesThere(files: readonly string[]): Promise<readonly string[]> {
  const there = await Promise.all(files.map(isThere))
  const found = files.filter((_file, index) => there[index])
  if (found.length === 0) throw invalid(`KUBECONFIG names ${files.join(', ')}, which is not there`)
  return found
}

function withHome(path: string, environment: Readonly<Record<string, string | undefined>>): string {
  return path.startsWith('~/') ? join(environment.HOME ?? homedir(), path.slice(2)) : path
}

async function isThere(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch (error) {
    return !hasErrorCode(error, 'ENOENT') && !hasErrorCode(error, 'ENOTDIR')
  }
}

/** The service account of a pod: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
async function inCluster(environment: Readonly<Record<string, string | undefined>>): Promise<ChosenContext> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment
  if (host === undefined || port === undefined || !(await isThere(`${serviceAccount}/token`)))
    throw invalid(
      'There is no kubeconfig: KUBECONFIG is not set and ~/.kube/config is not there. Name the file in the source',
    )
  return {
    contextName: 'in-cluster',
    clusterName: 'in-cluster',
    cluster: {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      'certificate-authority': `${serviceAccount}/ca.crt`,
    },
    user: { tokenFile: `${serviceAccount}/token` },
  }
}

/** It may name programs that run as us. */
const othersMayWrite = 0o002

async function readKubeconfig(file: string): Promise<Kubeconfig> {
  const document = parseDocument(await readText(file), { prettyErrors: false })
  const [mistake] = document.errors
  // Messages of the parser quote the text, and with it tokens.
  if (mistake !== undefined) throw invalid(`${file} is no YAML (${mistake.code} at character ${mistake.pos[0]})`)
  const read = Kubeconfig.safeParse(document.toJS({ maxAliasCount: 100 }))
  if (!read.success) throw invalid(`${file} is no kubeconfig: ${whereWrong(read.error)}`)
  return absolutePaths(read.data, dirname(resolve(file)))
}

async function readText(file: string): Promise<string> {
  try {
    const { mode } = await stat(file)
    if (process.platform !== 'win32' && (mode & othersMayWrite) !== 0)
      throw invalid(`Everybody may write the kubeconfig ${file}, and it names who gets our credentials. Use chmod 600`)
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof AppError) throw error
    if (hasErrorCode(error, 'ENOENT')) throw invalid(`The kubeconfig ${file} is not there`)
    if (hasErrorCode(error, 'EACCES')) throw invalid(`The kubeconfig ${file} cannot be read by this user`)
    throw invalid(`The kubeconfig ${file} cannot be read`)
  }
}

/** Paths of a kubeconfig count from where it lies. */
function absolutePaths(config: Kubeconfig, folder: string): Kubeconfig {
  const absolute = (body: unknown, keys: readonly string[]): unknown => {
    if (typeof body !== 'object' || body === null) return body
    const changed = Object.entries(body).map(([key, value]) =>
      keys.includes(key) && typeof value === 'string' && value !== '' ? [key, resolve(folder, value)] : [key, value],
    )
    return Object.fromEntries(changed)
  }
  const command = (body: unknown): unknown => {
    const exec = (body as { readonly exec?: { readonly command?: unknown } } | null)?.exec
    if (typeof exec?.command !== 'string' || !/[/\\]/.test(exec.command)) return body
    return { ...(body as object), exec: absolute(exec, ['command']) }
  }
  const files = ['client-certificate', 'client-key', 'tokenFile']
  return {
    ...config,
    clusters: config.clusters.map((entry) => ({
      ...entry,
      cluster: absolute(entry.cluster, ['certificate-authority']),
    })),
    users: config.users.map((entry) => ({ ...entry, user: command(absolute(entry.user, files)) })),
  }
}

/** Only what is asked for is checked: other entries of the file are nobody's business here. */
function find<Body extends z.ZodType>(
  configs: readonly Kubeconfig[],
  list: Lists,
  { name, where, schema }: { readonly name: string; readonly where: string; readonly schema: Body },
): z.infer<Body> {
  const kind = bodyKeys[list]
  const entry = configs.flatMap((config) => config[list]).find((candidate) => candidate.name === name)
  if (entry === undefined) throw invalid(`${where} has no ${kind} "${name}"`, namesIn(configs, list))
  const read = schema.safeParse(entry[kind] ?? {})
  if (!read.success) throw invalid(`The ${kind} "${name}" in ${where} is wrong: ${whereWrong(read.error)}`)
  return read.data
}

function namesIn(configs: readonly Kubeconfig[], list: Lists): readonly string[] {
  return configs.flatMap((config) => config[list].map(({ name }) => name))
}

/** The place of a mistake and what was wanted there, never what was found. */
function whereWrong(error: z.ZodError): string {
  return error.issues
    .map((issue) => `${issue.path.join('.') || 'the whole'} is not as it must be (${issue.code})`)
    .join('; ')
}

function invalid(sentence: string, names?: readonly string[]): AppError {
  const choice = names === undefined || names.length === 0 ? '' : ` (there are: ${names.slice(0, 20).join(', ')})`
  return new AppError('INVALID_INPUT', `${sentence}${choice}.`)
}
