import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { AppError } from '../../../shared/errors.ts'
import type { ChosenContext } from './kubeconfig.ts'

type Cluster = ChosenContext['cluster']
type User = ChosenContext['user']

/** What the address of a cluster and the credentials of a user add to a request. */
export type AddOptions = () => Promise<RequestOptions>

/**
 * How requests are made for this user at this cluster. Providers and proxies are left to the library of Kubernetes, which
 * costs 85 MB and a second to load; certificates, tokens and passwords need none of it.
 */
export function optionsFor(context: ChosenContext, user: User): AddOptions {
  const { cluster } = context
  const special = user['auth-provider'] != null || (cluster['proxy-url'] ?? '') !== ''
  const add = special ? libraryOptions(context, user) : () => plainOptions(cluster, user)
  return async () => {
    try {
      return await add()
    } catch (thrown) {
      throw unusable(thrown)
    }
  }
}

/** Messages of others may quote what they were given; the path of a file is all that is taken from them. */
function unusable(thrown: unknown): AppError {
  const { code, path } = thrown as { readonly code?: unknown; readonly path?: unknown }
  const cause =
    typeof path === 'string'
      ? `${path} cannot be read (${String(code)})`
      : 'a certificate, a key, a token or its provider is not as it must be'
  return new AppError('INVALID_INPUT', `The kubeconfig cannot be used: ${cause}. Try kubectl with the same file.`)
}

async function plainOptions(cluster: Cluster, user: User): Promise<RequestOptions> {
  const [ca, cert, key] = await Promise.all([
    bytesOf(cluster['certificate-authority-data'], cluster['certificate-authority']),
    bytesOf(user['client-certificate-data'], user['client-certificate']),
    bytesOf(user['client-key-data'], user['client-key']),
  ])
  const servername = cluster['tls-server-name']
  return {
    headers: { ...authorization(user), ...impersonation(user) },
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
    ...(servername == null || servername === '' ? {} : { servername }),
    // Nothing is kept open between two requests: a poll that makes a new connection proves that one can be made.
    agent: false,
  }
}

/** As kubectl: what is in the kubeconfig itself counts before a file it names. */
async function bytesOf(data: string | null | undefined, file: string | null | undefined): Promise<Buffer | null> {
  if (data != null && data !== '') return Buffer.from(data, 'base64')
  return file == null || file === '' ? null : readFile(file)
}

function authorization({ token, username, password }: User): Readonly<Record<string, string>> {
  if (token != null && token !== '') return { authorization: `Bearer ${token}` }
  if (username == null || username === '') return {}
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}` }
}

function impersonation({ as, 'as-groups': groups }: User): Readonly<Record<string, string | string[]>> {
  if (as == null || as === '') return {}
  return { 'impersonate-user': as, ...(groups == null || groups.length === 0 ? {} : { 'impersonate-group': groups }) }
}

function libraryOptions({ cluster, clusterName, contextName }: ChosenContext, user: User): AddOptions {
  const { exec: _plugin, tokenFile: _file, ...plain } = user
  const content = {
    clusters: [{ name: clusterName, cluster }],
    users: [{ name: 'user', user: plain }],
    contexts: [{ name: contextName, context: { cluster: clusterName, user: 'user' } }],
    'current-context': contextName,
  }
  let applyTo: ((options: RequestOptions) => Promise<void>) | null = null
  return async () => {
    if (applyTo === null) {
      const { KubeConfig } = await import('@kubernetes/client-node')
      const config = new KubeConfig()
      // JSON is YAML too.
      config.loadFromString(JSON.stringify(content))
      applyTo = (options) => config.applyToHTTPSOptions(options)
    }
    // Left out, the library would leave it to NODE_TLS_REJECT_UNAUTHORIZED.
    const options: RequestOptions = { headers: {}, rejectUnauthorized: cluster['insecure-skip-tls-verify'] !== true }
    await applyTo(options)
    return options
  }
}
