import { z } from 'zod'
import { Diagnosis } from './diagnosis.ts'
import { EpochMs, SourceId } from './ids.ts'
import { RegistryKind } from './registry.ts'
import { DisplayName, KeyFilePath } from './text.ts'

/** RFC 1123 name of an object or namespace of Kubernetes. */
const ObjectName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/, 'a name in Kubernetes is small letters, digits, dashes and dots')

/** Where the content of a registry comes from, when not from the console (S1.27, S1F.7). */
export const SourcePlace = z.discriminatedUnion('kind', [
  /** A JSON or YAML file of the machine the engine runs on. */
  z.strictObject({ kind: z.literal('file'), path: KeyFilePath }),
  z.strictObject({
    kind: z.literal('configMap'),
    /** Null: the usual places, in the usual order (`KUBECONFIG`, `~/.kube/config`, in the cluster). */
    kubeconfigFile: KeyFilePath.nullable().default(null),
    /** Null: the current context. */
    context: z.string().min(1).max(253).nullable().default(null),
    namespace: ObjectName.default('default'),
    name: ObjectName.default('service-registry'),
    /** Key below `data`; null when there is just one. */
    key: z.string().min(1).max(253).nullable().default(null),
    /** Status, last sync and last attempt of the nodes are written into the map of the node registry (S1.19-21). */
    writeStatusBack: z.boolean().default(false),
    /**
     * The kubeconfig may say `insecure-skip-tls-verify: true`: then whoever stands between us and the cluster reads our
     * credentials and writes the registry. Refused unless this was said too.
     */
    allowUnverifiedTls: z.boolean().default(false),
  }),
])
export type SourcePlace = z.infer<typeof SourcePlace>

export const SourceInput = z.strictObject({ name: DisplayName, registry: RegistryKind, place: SourcePlace })
export type SourceInput = z.infer<typeof SourceInput>

/** What the engine knows of a source now. */
export const SourceState = z.discriminatedUnion('status', [
  z.object({ status: z.literal('starting') }),
  /** Followed; `seenAt` is when it last told us that it is as we know it. */
  z.object({ status: z.literal('following'), seenAt: EpochMs, version: z.string() }),
  /** Cannot be read, or what it says is wrong. The last good revision stays in force. */
  z.object({ status: z.literal('failing'), since: EpochMs, checkedAt: EpochMs, diagnosis: Diagnosis }),
])
export type SourceState = z.infer<typeof SourceState>

/**
 * A place that a registry follows. Several sources may feed one registry (S1F.7): each owns the entries it brought, and
 * what two of them claim is a mistake of the later one.
 */
export const RegistrySource = SourceInput.extend({ id: SourceId, createdAt: EpochMs, state: SourceState })
export type RegistrySource = z.infer<typeof RegistrySource>
