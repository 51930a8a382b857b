import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SourceFollower, StatusWriter } from '../../../src/engine/ports.ts'
import { configMapFollowers } from '../../../src/engine/registry/kubernetes/configMapSource.ts'
import type { Timing } from '../../../src/engine/registry/kubernetes/timing.ts'
import { type Clock, systemClock } from '../../../src/platform/clock.ts'
import { createLogging } from '../../../src/platform/logger.ts'
import { SourceId } from '../../../src/shared/model/ids.ts'
import type { RegistryKind, RevisionSource } from '../../../src/shared/model/registry.ts'
import { SourcePlace, type SourceState } from '../../../src/shared/model/registrySource.ts'
import { type ApiServerOptions, startApiServer, type TestApiServer } from '../../support/kubernetes/apiServer.ts'
import { type Kubectl, kubectlFor, writeKubeconfig } from '../../support/kubernetes/kubectl.ts'
import { waitFor } from '../../support/waitFor.ts'

export const token = 'canary-bearer-token-4711'

type PlaceInput = Partial<Omit<Extract<SourcePlace, { kind: 'configMap' }>, 'kind'>>

export interface Told {
  readonly text: string
  readonly version: string
  readonly origin: RevisionSource
}

export interface Followed extends SourceFollower, Partial<StatusWriter> {
  /** Every call of `read`. */
  readonly reads: readonly Told[]
  /** Texts that differ from the one before. */
  texts(): string[]
  readonly states: readonly SourceState[]
  failing(): Extract<SourceState, { status: 'failing' }> | null
  /** Lines of the log as they are written. */
  readonly log: readonly string[]
  /** Waits for this text to be the newest. */
  says(text: string): Promise<Told>
  fails(code: string): Promise<Extract<SourceState, { status: 'failing' }>>
}

export interface FollowOptions {
  readonly place?: PlaceInput
  readonly registry?: RegistryKind
  readonly clock?: Clock
  readonly pollIntervalMs?: number
  readonly timing?: Partial<Timing>
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** Quick where the product is patient, and never in a hurry to look by itself. */
const quick: Partial<Timing> = { firstPauseMs: 10, longestPauseMs: 100, writeEveryMs: 10 }
const neverMs = 3_600_000

export interface KubernetesRig {
  readonly directory: string
  readonly server: TestApiServer
  readonly kubeconfig: string
  readonly kubectl: Kubectl
  follow(options?: FollowOptions): Followed
  newServer(options?: ApiServerOptions): Promise<TestApiServer>
  stop(): Promise<void>
}

export async function startRig(options: ApiServerOptions = {}): Promise<KubernetesRig> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-kubernetes-'))
  const stops: (() => Promise<void>)[] = []
  const newServer = async (wanted: ApiServerOptions = {}): Promise<TestApiServer> => {
    const server = await startApiServer({ token, ...wanted })
    stops.push(() => server.stop())
    return server
  }
  const server = await newServer(options)
  const kubeconfig = await writeKubeconfig(server, { directory, token })
  return {
    directory,
    server,
    kubeconfig,
    kubectl: kubectlFor(kubeconfig, directory),
    newServer,
    follow: (wanted = {}) => {
      const followed = follow(kubeconfig, wanted)
      stops.push(() => followed.stop())
      return followed
    },
    stop: async () => {
      for (const stop of stops.reverse()) await stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function follow(kubeconfigFile: string, options: FollowOptions): Followed {
  const reads: Told[] = []
  const states: SourceState[] = []
  const log: string[] = []
  let now: SourceState | null = null
  const { logger } = createLogging({ level: 'debug', sinks: [(line) => log.push(line)] })
  const makeFollower = configMapFollowers({
    clock: options.clock ?? systemClock,
    logger,
    pollIntervalMs: options.pollIntervalMs ?? neverMs,
    timing: { ...quick, ...options.timing },
    random: () => 1,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  })
  const place = SourcePlace.parse({ kind: 'configMap', kubeconfigFile, ...options.place })
  const source = {
    id: SourceId.parse('00000000-0000-0000-0000-000000000000'),
    createdAt: 0,
    name: 'cluster',
    registry: options.registry ?? 'services',
    place,
  }
  const follower = makeFollower(source, {
    read: async (text, version, origin) => {
      reads.push({ text, version, origin })
      now = { status: 'following', seenAt: 0, version }
    },
    state: (state) => {
      states.push(state)
      now = state
    },
  })
  const failing = () => (now?.status === 'failing' ? now : null)
  return {
    ...follower,
    start: () => follower.start(),
    stop: () => follower.stop(),
    refresh: () => follower.refresh(),
    reads,
    states,
    log,
    failing,
    texts: () => reads.map(({ text }) => text).filter((text, index) => text !== reads[index - 1]?.text),
    says: (text) =>
      waitFor(`the source to say ${text}`, () => {
        const last = reads.at(-1)
        return last?.text === text && failing() === null ? last : null
      }),
    fails: (code) =>
      waitFor(`the source to fail with ${code}`, () => (failing()?.diagnosis.code === code ? failing() : null)),
  }
}
