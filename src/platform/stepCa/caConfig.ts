import { z } from 'zod'
import { AppError } from '../../shared/errors.ts'
import type { StepCaProvisioner } from '../../shared/model/stepCa.ts'
import { allowedOperations } from './provisioners.ts'

/** What stands for an SSH authority key in `ca.json`. */
export type SshKeySource =
  | { readonly kind: 'file'; readonly path: string }
  /** In a key manager, such as `yubikey:slot-id=9a` or `pkcs11:…`. */
  | { readonly kind: 'uri'; readonly uri: string }
  /** `{"type": "ed25519"}`, as some instructions write it; step-ca itself does not take it (D3). */
  | { readonly kind: 'type'; readonly keyType: string }

export interface ConfiguredProvisioner extends StepCaProvisioner {
  /** It has a template of its own for SSH; without one it signs any principal with all five extensions (D2). */
  readonly hasSshTemplate: boolean
}

/** What `ca.json` says about SSH and about reaching the authority; its other settings are left aside. */
export interface StepCaConfig {
  /** Such as `:9000` (S0.7). */
  readonly address: string
  readonly dnsNames: readonly string[]
  readonly rootFiles: readonly string[]
  /** Null while SSH is off (S0.9, S0.14); a missing key means that this kind of certificate is off. */
  readonly ssh: { readonly hostKey: SshKeySource | null; readonly userKey: SshKeySource | null } | null
  readonly provisioners: readonly ConfiguredProvisioner[]
  /** What keeps it from starting or from certifying as wanted, with the correction; one sentence each. */
  readonly warnings: readonly string[]
}

const SshKey = z.union([z.string(), z.looseObject({ type: z.string() })]).nullish()
const Claims = z.looseObject({ enableSSHCA: z.boolean().optional() }).nullish()
const Provisioner = z.looseObject({
  name: z.string(),
  type: z.string(),
  claims: Claims,
  options: z
    .looseObject({
      ssh: z.looseObject({ template: z.string().optional(), templateFile: z.string().optional() }).nullish(),
    })
    .nullish(),
})
type Provisioner = z.infer<typeof Provisioner>

const CaJson = z.looseObject({
  address: z.string().default(''),
  dnsNames: z.array(z.string()).nullish(),
  root: z.union([z.string(), z.array(z.string())]).nullish(),
  ssh: z.looseObject({ hostKey: SshKey, userKey: SshKey }).nullish(),
  authority: z.looseObject({ provisioners: z.array(Provisioner).nullish(), claims: Claims }).nullish(),
})
type CaJson = z.infer<typeof CaJson>

/**
 * Reads a `ca.json` with either form of `ssh.hostKey` and `ssh.userKey` (D3).
 *
 * @param path named in errors
 * @throws AppError INVALID_INPUT with every mistake and the field it is in; contents are not quoted, since a CA
 *   password may stand in this file
 */
export function parseStepCaConfig(text: string, path: string): StepCaConfig {
  const parsed = CaJson.safeParse(parseJson(text, path))
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`)
    throw invalid(path, problems)
  }
  const { address, dnsNames, root, authority } = parsed.data
  const provisioners = (authority?.provisioners ?? []).map((each) => describeProvisioner(each, authority))
  const ssh = describeSsh(parsed.data.ssh)
  return {
    address,
    dnsNames: dnsNames ?? [],
    rootFiles: typeof root === 'string' ? [root] : (root ?? []),
    ssh,
    provisioners,
    warnings: [...sshWarnings(ssh), ...provisionerWarnings(provisioners)],
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(path, ['it is not JSON'])
  }
}

function invalid(path: string, problems: readonly string[]): AppError {
  return new AppError('INVALID_INPUT', `${path} is not a ca.json: ${problems.join('; ')}`, { data: { path, problems } })
}

function describeSsh(ssh: CaJson['ssh']): StepCaConfig['ssh'] {
  const keys = { hostKey: keySource(ssh?.hostKey), userKey: keySource(ssh?.userKey) }
  return keys.hostKey === null && keys.userKey === null ? null : keys
}

function keySource(value: string | { readonly type: string } | null | undefined): SshKeySource | null {
  if (value === null || value === undefined || value === '') return null
  if (typeof value !== 'string') return { kind: 'type', keyType: value.type }
  // A path never begins with a scheme; a Windows drive is a single letter.
  return /^[a-z][a-z0-9+.-]+:/i.test(value) ? { kind: 'uri', uri: value } : { kind: 'file', path: value }
}

function describeProvisioner(provisioner: Provisioner, authority: CaJson['authority']): ConfiguredProvisioner {
  const sshEnabled = provisioner.claims?.enableSSHCA ?? authority?.claims?.enableSSHCA ?? false
  const template = provisioner.options?.ssh
  return {
    name: provisioner.name,
    type: provisioner.type,
    allows: sshEnabled ? allowedOperations(provisioner.type) : [],
    hasSshTemplate: Boolean(template?.template || template?.templateFile),
  }
}

function sshWarnings(ssh: StepCaConfig['ssh']): string[] {
  if (ssh === null) return ['SSH is off: run `step ca init --ssh`, or add ssh.hostKey and ssh.userKey']
  const objects = (['hostKey', 'userKey'] as const).filter((name) => ssh[name]?.kind === 'type')
  const missing = (['hostKey', 'userKey'] as const).filter((name) => ssh[name] === null)
  return [
    ...objects.map(
      (name) => `ssh.${name} is an object, with which step-ca does not start: write the path of a key file`,
    ),
    ...missing.map((name) => `ssh.${name} is missing: ${name === 'hostKey' ? 'host' : 'user'} certificates are off`),
  ]
}

function provisionerWarnings(provisioners: readonly ConfiguredProvisioner[]): string[] {
  const issuers = provisioners.filter(({ allows }) => allows.includes('issue user certificates'))
  if (issuers.length === 0) return ['no provisioner may issue user certificates: set claims.enableSSHCA of one to true']
  return issuers
    .filter(({ hasSshTemplate }) => !hasSshTemplate)
    .map(({ name }) => `provisioner "${name}" has no SSH template: it signs any principal, with all extensions`)
}
