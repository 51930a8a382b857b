import { assertNever } from '../../../shared/errors.ts'
import type { Plan, PlanInput, PlanKind } from '../../../shared/model/plan.ts'
import type { WantedRef } from '../../../shared/model/repository.ts'

/** What each kind of plan is called. */
export const kindWords: Readonly<Record<PlanKind, string>> = {
  tree: 'directory tree',
  krl: 'revocation list',
  trust: 'trusted authorities',
  'host-certificate': 'host certificate',
  routes: 'routes',
  hosts: 'hosts block',
  repository: 'repository',
  agent: 'agent',
}

/** Which commit a plan follows, or is pinned to. */
export function refWords(ref: WantedRef): string {
  switch (ref.kind) {
    case 'branch':
      return ref.name === null ? 'the default branch' : `branch ${ref.name}`
    case 'tag':
      return `tag ${ref.name}`
    case 'commit':
      return `commit ${ref.commit.slice(0, 10)}`
    default:
      return assertNever(ref)
  }
}

type Described = Pick<Plan, 'kind' | 'spec'> & (Plan | PlanInput)

/** What it delivers and where to; one sentence a line. */
export function planLines(plan: Described): readonly string[] {
  switch (plan.kind) {
    case 'tree':
    case 'agent': {
      const { push, pull } = plan.spec
      const pushed = (push === null ? [] : [push].flat()).map(({ source, target }) => `push ${source} to ${target}`)
      const pulled = (pull === null ? [] : [pull].flat()).map(({ source, target }) => `pull ${source} to ${target}`)
      return [...pushed, ...pulled]
    }
    case 'krl':
      return [`the list of revoked certificates to ${plan.spec.file}`]
    case 'trust':
      return [`the user authorities that may let somebody in to ${plan.spec.file}`]
    case 'host-certificate':
      return [`a certificate over ${plan.spec.keyFile} to ${plan.spec.certificateFile}`]
    case 'routes':
      return [`the public services as routes of Traefik to ${plan.spec.file}`]
    case 'hosts':
      return [`all services as a block of ${plan.spec.file}`]
    case 'repository':
      return [`${refWords(plan.spec.ref)} of ${plan.spec.repository} to ${plan.spec.target}`]
    default:
      return assertNever(plan)
  }
}

/** What a person has to know before applying it; null when there is nothing special. */
export function planWarning(plan: PlanInput): string | null {
  switch (plan.kind) {
    case 'tree':
      return plan.spec.delete ? 'Deletes on the receiving side what the source does not have.' : null
    case 'krl':
    case 'trust':
    case 'host-certificate':
      return 'Changes what sshd trusts: the file is checked with sshd -t, sshd reloads, and a login proves it.'
    case 'routes':
    case 'hosts':
      return null
    case 'repository':
      return plan.spec.delete ? 'Deletes on the node what the commit does not have, except what is excluded.' : null
    default:
      return assertNever(plan)
  }
}
