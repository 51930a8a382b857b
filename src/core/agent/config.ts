import { z } from 'zod'
import { PulledKind } from '../../shared/model/node.ts'
import { AgentSpec, AgentVerify } from '../../shared/model/plan.ts'
import { Address, DirectoryPath, LoginUser, Port, Principal } from '../../shared/model/text.ts'
import { defaultMinValidSeconds } from '../ca/validity.ts'
import { readYamlDocuments } from '../parse/yamlDocuments.ts'

/** A mistake in `agent.yaml`, where a person can find it. */
export interface ConfigProblem {
  /** From 1; null for a mistake that is in no one line. */
  readonly line: number | null
  /** Such as `sync.push.0.source`; empty for the file as a whole. */
  readonly field: string
  readonly message: string
}

const absoluteFile = z
  .string()
  .max(1024, 'a path has at most 1024 characters')
  .regex(/^\/[^\u0000-\u001f"\\]*$/, 'a path is absolute and holds no quotes, backslashes or line breaks')

const httpsUrl = z
  .string()
  .regex(/^https:\/\/(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?\/?$/, 'an address is like https://name:8443')

const Leg = z.strictObject({ source: DirectoryPath, target: DirectoryPath })

const Ssh = z.strictObject({
  /** A step-ca that issues the certificate; null: the control plane does (S0.36). */
  ca_url: httpsUrl.nullable().default(null),
  principal: Principal.default('sync-agent'),
  min_valid_seconds: z.number().int().min(60).max(57_600).default(defaultMinValidSeconds),
  provisioner: z.string().min(1).max(200).nullable().default(null),
  provisioner_password_file: absoluteFile.nullable().default(null),
})

const ControlPlane = z.strictObject({
  /** Overrides the address from the enrolment, for a control plane that has moved. */
  url: httpsUrl.nullable().default(null),
  request_timeout_seconds: z.number().int().min(1).max(300).default(10),
  /** How long a registration is tried again before the run fails (D8). */
  registration_timeout_seconds: z.number().int().min(1).max(3_600).default(120),
})

const Storage = z.strictObject({ host: Address, port: Port.default(22), user: LoginUser.default('sync') })

const Sync = z
  .strictObject({
    push: z.array(Leg).max(100).default([]),
    pull: z.array(Leg).max(100).default([]),
    excludes: AgentSpec.shape.excludes,
    delete: z.boolean().default(false),
    verify: AgentVerify.default('checksum'),
    /** Cron expression on this machine's clock. */
    schedule: z.string().min(1).max(200).nullable().default(null),
  })
  .refine((sync) => sync.push.length + sync.pull.length > 0, 'name at least one directory under push or pull')

const Deliveries = z.strictObject({
  /** Where Traefik's file provider reads; null: routes are not fetched. */
  routes: absoluteFile.nullable().default(null),
  hosts: absoluteFile.nullable().default(null),
})

const AgentFile = z
  .strictObject({
    ssh: Ssh.prefault({}),
    control_plane: ControlPlane.prefault({}),
    storage: Storage,
    sync: Sync,
    /** What of the registry is fetched for this machine, and the file it belongs in (S1F.5). */
    deliveries: Deliveries.prefault({}),
    lock_file: absoluteFile.default('/var/lock/sync-agent.lock'),
    state_directory: absoluteFile.default('/var/lib/lockstep-agent'),
    /** Null: `logs/` beside the file (S0.35). */
    log_directory: absoluteFile.nullable().default(null),
  })
  .refine((file) => file.ssh.ca_url === null || file.ssh.provisioner !== null, {
    path: ['ssh', 'provisioner'],
    message: 'ssh.ca_url needs the name of the provisioner',
  })
  .refine((file) => file.ssh.ca_url === null || file.ssh.provisioner_password_file !== null, {
    path: ['ssh', 'provisioner_password_file'],
    message: 'ssh.ca_url needs the file with the password of the provisioner',
  })

/** What `agent.yaml` says, defaults filled in; keys as in the file (S0.36-38). */
export type AgentConfig = z.infer<typeof AgentFile>

export type ConfigReading =
  | { readonly ok: true; readonly config: AgentConfig }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

interface Issue {
  readonly code?: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
}

/**
 * Reads `agent.yaml`. All mistakes come back at once, each with its line.
 *
 * @param whyNotSchedule says what is wrong with a cron expression, or null
 */
export function readAgentConfig(text: string, whyNotSchedule: (schedule: string) => string | null): ConfigReading {
  const { documents, problems } = readYamlDocuments(text)
  if (problems.length > 0) return { ok: false, problems: problems.map((problem) => ({ ...problem, field: '' })) }
  const [document, second] = documents
  if (document === undefined) return wrong('the file is empty: it needs storage and sync')
  if (second !== undefined) return wrong('the file holds more than one document; remove the --- line')
  const checked = AgentFile.safeParse(document.value)
  const found = checked.success ? scheduleIssues(checked.data, whyNotSchedule) : checked.error.issues.flatMap(issuesOf)
  if (checked.success && found.length === 0) return { ok: true, config: checked.data }
  const named = found.map(({ path, message }) => ({
    line: document.lineOf(path),
    field: path.map(String).join('.'),
    message,
  }))
  return { ok: false, problems: named.sort((left, right) => left.line - right.line) }
}

const wrong = (message: string): ConfigReading => ({ ok: false, problems: [{ line: null, field: '', message }] })

/** An unknown key is shown at the key itself, not at the section around it. */
function issuesOf(issue: Issue): Issue[] {
  if (issue.code !== 'unrecognized_keys') return [issue]
  return (issue.keys ?? []).map((key) => ({ path: [...issue.path, key], message: 'there is no such key' }))
}

function scheduleIssues({ sync }: AgentConfig, whyNot: (schedule: string) => string | null): Issue[] {
  const reason = sync.schedule === null ? null : whyNot(sync.schedule)
  return reason === null ? [] : [{ path: ['sync', 'schedule'], message: reason }]
}

/** One line for each mistake, for a terminal. */
export function describeProblems(file: string, problems: readonly ConfigProblem[]): string {
  const lines = problems.map(({ line, field, message }) => {
    const where = line === null ? file : `${file}:${line}`
    return field === '' ? `${where}: ${message}` : `${where}: ${field}: ${message}`
  })
  return lines.join('\n')
}

/** What the control plane is told about the work of this agent. */
export function agentSpecOf({ storage, sync }: AgentConfig): AgentSpec {
  return {
    storage: { address: storage.host, port: storage.port, user: storage.user },
    push: sync.push,
    pull: sync.pull,
    excludes: sync.excludes,
    delete: sync.delete,
    verify: sync.verify,
    schedule: sync.schedule,
  }
}

/** Kinds that this machine fetches: those with a file to put them into. */
export function pulledKinds(files: AgentConfig['deliveries']): PulledKind[] {
  return PulledKind.options.filter((kind) => files[kind] !== null)
}
