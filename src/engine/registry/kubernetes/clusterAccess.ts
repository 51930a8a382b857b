import type { Agent } from 'node:http'
import type { RequestOptions } from 'node:https'
import type { Clock } from '../../../platform/clock.ts'
import { AppError } from '../../../shared/errors.ts'
import { type AddOptions, optionsFor } from './clusterOptions.ts'
import { type Credentials, createCredentials } from './credentials.ts'
import { type ChosenContext, type ConfigMapPlace, chooseContext } from './kubeconfig.ts'

/** One API server, and as whom we talk to it. */
export interface ClusterAccess {
  readonly contextName: string
  readonly clusterName: string
  /** Without a slash at the end. */
  readonly server: URL
  /** Trust, credentials and proxy of the kubeconfig, for one request. Secrets are in here: never to be logged. */
  requestOptions(signal: AbortSignal): Promise<RequestOptions>
  /** Takes everything secret that we know out of a text of somebody else's. */
  redact(text: string): string
  /** The credentials were refused: the next request gets new ones where a plugin can make some. */
  forget(): void
  /** Ends connections that are kept for the next request. */
  close(): void
}

interface AccessOptions {
  readonly clock: Clock
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/**
 * Reads the kubeconfig of a place. It is read again for every look at the cluster, so that one that was corrected, or
 * certificates that were renewed, count at once; what a plugin gave is kept in `before`.
 *
 * @throws AppError INVALID_INPUT
 */
export async function openCluster(
  place: ConfigMapPlace,
  { clock, environment }: AccessOptions,
  before: ClusterAccess | null = null,
): Promise<ClusterAccess> {
  const context = await chooseContext(place, environment)
  const server = serverOf(context)
  refuseUnverified(context, place)
  before?.close()
  const credentials = keptCredentials(before, context) ?? createCredentials(context, { clock })
  return new KubeconfigAccess(context, server, credentials)
}

function keptCredentials(before: ClusterAccess | null, context: ChosenContext): Credentials | null {
  if (!(before instanceof KubeconfigAccess)) return null
  return JSON.stringify(before.context) === JSON.stringify(context) ? before.credentials : null
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

function serverOf({ cluster, clusterName }: ChosenContext): URL {
  const server = new URL(cluster.server)
  if (server.protocol === 'http:' && !loopback.test(server.hostname))
    throw new AppError(
      'INVALID_INPUT',
      `The cluster "${clusterName}" is reached over http, which shows everybody the credentials. Use https, or kubectl proxy on this machine.`,
    )
  return server
}

/** Before any credential is read, let alone sent. A source from before the question was asked has not been given leave. */
function refuseUnverified({ cluster, clusterName }: ChosenContext, { allowUnverifiedTls }: ConfigMapPlace): void {
  if (cluster['insecure-skip-tls-verify'] !== true || allowUnverifiedTls === true) return
  throw new AppError(
    'REGISTRY_SOURCE_REFUSED',
    `The kubeconfig tells not to check the certificate of the cluster "${clusterName}" (insecure-skip-tls-verify), so that anybody on the way could read our credentials and write the registry. Give it a certificate-authority, or add the source again with --allow-unverified-tls.`,
  )
}

class KubeconfigAccess implements ClusterAccess {
  readonly context: ChosenContext
  readonly credentials: Credentials
  readonly server: URL
  #agent: Agent | null = null
  /** For the credentials of the last request. */
  #made: { readonly user: string; readonly add: AddOptions } | null = null

  constructor(context: ChosenContext, server: URL, credentials: Credentials) {
    this.context = context
    this.server = server
    this.credentials = credentials
  }

  get contextName(): string {
    return this.context.contextName
  }

  get clusterName(): string {
    return this.context.clusterName
  }

  async requestOptions(signal: AbortSignal): Promise<RequestOptions> {
    const options = await (await this.#add(signal))()
    if (typeof options.agent === 'object') this.#agent = options.agent
    return {
      ...options,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: this.context.cluster['insecure-skip-tls-verify'] !== true,
    }
  }

  /** Anew for other credentials: the library binds certificates to the connections it keeps. */
  async #add(signal: AbortSignal): Promise<AddOptions> {
    const fields = await this.credentials.current(signal)
    const user = JSON.stringify(fields)
    if (this.#made?.user !== user) {
      this.close()
      this.#made = { user, add: optionsFor(this.context, fields) }
    }
    return this.#made.add
  }

  redact(text: string): string {
    return this.credentials.secrets().reduce((masked, secret) => masked.replaceAll(secret, '[secret]'), text)
  }

  forget(): void {
    this.credentials.forget()
  }

  close(): void {
    this.#agent?.destroy()
    this.#agent = null
    this.#made = null
  }
}
