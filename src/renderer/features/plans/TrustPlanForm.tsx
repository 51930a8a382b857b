import { useState } from 'react'
import type { PlanInput, PlanKind } from '../../../shared/model/plan.ts'
import { Field } from '../../components/Field.tsx'
import { formatPlanDocument, type PlanProblem } from './planDocument.ts'
import { inSshDirectory } from './sshDirectory.ts'

export type TrustPlanKind = Exclude<PlanKind, 'tree' | 'repository' | 'agent'>

interface TextField {
  readonly path: string
  readonly label: string
  readonly initial: string
  readonly hint: string
}

interface FormShape {
  readonly name: string
  /** What it is for, in two sentences. */
  readonly intro: string
  /** Whom it is meant for, unless somebody says otherwise. */
  readonly selector: string
  readonly fields: readonly TextField[]
  /** What is left out has its usual value. */
  readonly specOf: (values: Readonly<Record<string, string>>) => Readonly<Record<string, unknown>>
}

const domainField = (kind: 'routes' | 'hosts'): TextField => ({
  path: `${kind}.domain`,
  label: 'Domain',
  initial: 'example.com',
  hint: 'The subdomain of each service stands before it.',
})

const shapes: Readonly<Record<TrustPlanKind, FormShape>> = {
  krl: {
    name: 'revocation list',
    intro:
      'Brings the list of revoked certificates to each node, where sshd refuses what is on it. Every revocation makes a new version, and each node proves that it obeys.',
    selector: '*',
    fields: [
      {
        path: 'file',
        label: 'File on the node',
        initial: '/etc/ssh/lockstep.krl',
        hint: 'sshd reads it as RevokedKeys.',
      },
    ],
    specOf: ({ file = '' }) => ({ file }),
  },
  trust: {
    name: 'trusted authorities',
    intro:
      'Brings the public keys of our user authorities to each node. It is what makes a rotation possible: old and new are trusted together until every node has proven both.',
    selector: '*',
    fields: [
      {
        path: 'file',
        label: 'File on the node',
        initial: '/etc/ssh/ca/trusted_user_ca.pub',
        hint: 'sshd reads it as TrustedUserCAKeys.',
      },
    ],
    specOf: ({ file = '' }) => ({ file }),
  },
  'host-certificate': {
    name: 'host certificate',
    intro:
      "Signs each node's own host key, so that clients which trust the host authority need no first-use question. The private key never leaves the node; the certificate is renewed at two thirds of its life.",
    selector: '*',
    fields: [
      {
        path: 'keyFile',
        label: 'Public host key on the node',
        initial: '/etc/ssh/ssh_host_ed25519_key.pub',
        hint: 'The public half; the private one stays where it is.',
      },
      {
        path: 'certificateFile',
        label: 'Certificate on the node',
        initial: '/etc/ssh/ssh_host_ed25519_key-cert.pub',
        hint: 'sshd reads it as HostCertificate.',
      },
      {
        path: 'names',
        label: 'More names, separated by spaces',
        initial: '',
        hint: 'Besides the name and the address of each node.',
      },
    ],
    specOf: ({ keyFile = '', certificateFile = '', names = '' }) => ({
      keyFile,
      certificateFile,
      names: names.split(/[\s,]+/).filter((name) => name !== ''),
    }),
  },
  routes: {
    name: 'routes',
    intro:
      'Brings the public services of the registry to each VPS, as a file that Traefik reads. Every change of the registry makes a new revision; it counts as delivered when the file was read back.',
    selector: 'kind:vps',
    fields: [
      {
        path: 'file',
        label: 'File on the node',
        initial: '~/traefik/config/mynodeone-routes.yml',
        hint: "In the directory that Traefik's file provider watches.",
      },
      domainField('routes'),
    ],
    specOf: ({ file = '', 'routes.domain': domain = '' }) => ({ file, routes: { domain } }),
  },
  hosts: {
    name: 'hosts',
    intro:
      'Brings all services of the registry to each laptop and worker, as lines between our marks in the hosts file. Every other line stays as it is, byte for byte.',
    selector: 'kind:laptop or kind:worker',
    fields: [
      { path: 'file', label: 'File on the node', initial: '/etc/hosts', hint: 'Written as root, or through sudo.' },
      domainField('hosts'),
    ],
    specOf: ({ file = '', 'hosts.domain': domain = '' }) => ({ file, hosts: { domain } }),
  },
}

export interface PlanSurroundings {
  /** In which sshd of the nodes is configured. */
  readonly directory: string
  /** Names of the plans there are: a new one changes none of them. */
  readonly names: ReadonlySet<string>
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let number = 2; taken.has(name) && number <= taken.size + 2; number += 1)
    if (!taken.has(`${name} ${number}`)) return `${name} ${number}`
  return name
}

const initialValues = (
  kind: TrustPlanKind,
  { directory, names }: PlanSurroundings,
): Readonly<Record<string, string>> => ({
  name: freeName(shapes[kind].name, names),
  selector: shapes[kind].selector,
  ...Object.fromEntries(shapes[kind].fields.map(({ path, initial }) => [path, inSshDirectory(initial, directory)])),
})

const documentOf = (kind: TrustPlanKind, values: Readonly<Record<string, string>>): string =>
  formatPlanDocument([
    { name: values.name, kind, selector: values.selector, spec: shapes[kind].specOf(values) } as unknown as PlanInput,
  ])

export const newTrustPlanDocument = (kind: TrustPlanKind, surroundings: PlanSurroundings): string =>
  documentOf(kind, initialValues(kind, surroundings))

interface TrustPlanFormProps {
  readonly kind: TrustPlanKind
  readonly surroundings: PlanSurroundings
  readonly problems: readonly PlanProblem[]
  /** The document that says the same as the form. */
  readonly onChange: (text: string) => void
}

/** A few fields instead of YAML, for plans whose content the engine makes. Starts from the usual paths. */
export function TrustPlanForm({ kind, surroundings, problems, onChange }: TrustPlanFormProps) {
  const [values, setValues] = useState(() => initialValues(kind, surroundings))
  const set = (path: string, value: string): void => {
    const next = { ...values, [path]: value }
    setValues(next)
    onChange(documentOf(kind, next))
  }
  const problemAt = (path: string): string | null =>
    problems.find(({ where }) => where.split(', ').some((part) => part === path || part.startsWith(`${path}.`)))
      ?.message ?? null
  const field = (path: string, schemaPath = path) => ({
    value: values[path] ?? '',
    problem: problemAt(schemaPath),
    onChange: (event: { readonly target: { readonly value: string } }) => set(path, event.target.value),
  })
  return (
    <div className="flex h-full flex-col gap-4 overflow-auto p-4">
      <p className="max-w-xl text-muted">{shapes[kind].intro}</p>
      <div className="flex max-w-xl flex-col gap-3">
        <Field label="Name" {...field('name')} />
        <Field
          label="Which nodes"
          hint="In the filter language of the map; * means every node."
          spellCheck={false}
          {...field('selector')}
        />
        {shapes[kind].fields.map(({ path, label, hint }) => (
          <Field key={path} label={label} hint={hint} spellCheck={false} {...field(path, `spec.${path}`)} />
        ))}
      </div>
    </div>
  )
}
