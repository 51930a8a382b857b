import { z } from 'zod'
import type { StepCaProvisioner } from '../../shared/model/stepCa.ts'
import { type AuthorityUrl, type CallOptions, callAuthority } from './authorityCall.ts'
import { unusable } from './callFailure.ts'

const Duration = z.string().optional()
/** How long it lets certificates live, as Go writes durations (`16h0m0s`), and whether it may do SSH at all. */
const Claims = z.object({
  enableSSHCA: z.boolean().optional(),
  minUserSSHCertDuration: Duration,
  maxUserSSHCertDuration: Duration,
  defaultUserSSHCertDuration: Duration,
  minHostSSHCertDuration: Duration,
  maxHostSSHCertDuration: Duration,
  defaultHostSSHCertDuration: Duration,
})

const ListedProvisioner = z.object({
  name: z.string().max(255),
  type: z.string().max(64),
  key: z.object({ kid: z.string().max(255) }).optional(),
  encryptedKey: z.string().max(65_536).optional(),
  claims: Claims.nullish(),
})
type ListedProvisioner = z.infer<typeof ListedProvisioner>

const Page = z.object({
  provisioners: z.array(ListedProvisioner).nullable(),
  nextCursor: z.string().optional(),
})

/** A provisioner with what is needed to use it. Nothing here is secret: step-ca tells it to everybody. */
export interface StepCaProvisionerEntry extends StepCaProvisioner {
  /** Names its key in a token; null for types without one. */
  readonly keyId: string | null
  /** Its private key, encrypted with the provisioner password (JWE); null when the authority does not hand it out. */
  readonly encryptedKey: string | null
  readonly claims: z.infer<typeof Claims>
}

/** Words of `allows`, in the order in which they are listed. */
const operations = {
  issueUser: 'issue user certificates',
  issueHost: 'issue host certificates',
  renewHost: 'renew host certificates',
  revoke: 'revoke SSH certificates',
} as const

/** What step-ca lets each type do with SSH certificates (U6); its other types do X.509 only. */
const operationsByType = new Map<string, readonly (keyof typeof operations)[]>([
  ['JWK', ['issueUser', 'issueHost', 'revoke']],
  ['X5C', ['issueUser', 'issueHost']],
  ['OIDC', ['issueUser']],
  ['K8sSA', ['issueUser', 'issueHost']],
  ['Nebula', ['issueUser', 'issueHost']],
  ['AWS', ['issueHost']],
  ['GCP', ['issueHost']],
  ['Azure', ['issueHost']],
  ['SSHPOP', ['renewHost', 'revoke']],
])

const pageSize = 100
/** A cursor that never ends would be asked for ever. */
const mostPages = 20

/**
 * All provisioners, with what may be asked of each (U6). `allows` is empty when SSH is not switched on for it.
 *
 * @throws AppError as {@link callAuthority} does
 */
export async function listProvisioners(
  url: AuthorityUrl,
  rootPem: string,
  options: CallOptions,
): Promise<StepCaProvisionerEntry[]> {
  const found: StepCaProvisionerEntry[] = []
  let cursor = ''
  for (let page = 0; page < mostPages; page += 1) {
    const path = `/provisioners?${new URLSearchParams({ limit: String(pageSize), cursor })}`
    const answer = await callAuthority(url, { ...options, path, rootPem })
    const listed = Page.safeParse(answer.content)
    if (!listed.success) throw unusable(url, 'its list of provisioners is not as step-ca writes it')
    found.push(...(listed.data.provisioners ?? []).map(describe))
    cursor = listed.data.nextCursor ?? ''
    if (cursor === '') return found
  }
  throw unusable(url, `it lists more than ${mostPages * pageSize} provisioners`)
}

function describe(listed: ListedProvisioner): StepCaProvisionerEntry {
  const claims = listed.claims ?? {}
  return {
    name: listed.name,
    type: listed.type,
    allows: claims.enableSSHCA === true ? allowedOperations(listed.type) : [],
    keyId: listed.key?.kid ?? null,
    encryptedKey: listed.encryptedKey ?? null,
    claims,
  }
}

/** In words, for a provisioner of this type with SSH switched on (U6). */
export function allowedOperations(type: string): string[] {
  return (operationsByType.get(type) ?? []).map((operation) => operations[operation])
}
