import type { AuthorityKind } from '../../../shared/model/certificate.ts'
import { shellQuote } from '../../components/CliEquivalent.tsx'
import type { LogFilter } from './certificateFilter.ts'

type ByKind = Readonly<Record<AuthorityKind, string>>

/** What the issue log is narrowed to; an hour of the calendar is not among what the command knows. */
function logOptions({ standing, purposes, search, node }: LogFilter): string {
  const options = [
    ...(standing === 'all' ? [] : [`--standing ${standing}`]),
    ...purposes.map((purpose) => `--purpose ${purpose}`),
    ...(node === '' ? [] : [`--node ${shellQuote(node)}`]),
    ...(search === '' ? [] : [`--search ${shellQuote(search)}`]),
  ]
  return options.map((option) => ` ${option}`).join('')
}

/** The commands that do the same as the buttons about trust. */
export const trustCli = {
  createAuthorities: 'lockstep ca init',
  exportAuthority: {
    'ssh-user': 'lockstep ca export --kind ssh-user',
    'ssh-host': 'lockstep ca export --kind ssh-host',
    x509: 'lockstep ca export --kind x509',
  } satisfies ByKind,
  startRotation: {
    'ssh-user': 'lockstep ca rotate start --kind ssh-user',
    'ssh-host': 'lockstep ca rotate start --kind ssh-host',
    x509: 'lockstep ca rotate start --kind x509',
  } satisfies ByKind,
  advanceRotation: {
    'ssh-user': 'lockstep ca rotate advance --kind ssh-user',
    'ssh-host': 'lockstep ca rotate advance --kind ssh-host',
    x509: 'lockstep ca rotate advance --kind x509',
  } satisfies ByKind,
  rollBackRotation: {
    'ssh-user': 'lockstep ca rotate rollback --kind ssh-user',
    'ssh-host': 'lockstep ca rotate rollback --kind ssh-host',
    x509: 'lockstep ca rotate rollback --kind x509',
  } satisfies ByKind,
  stepStatus: 'lockstep ca step status',
  stepSetup: (url: string, root: string, provisioner: string): string =>
    `lockstep ca step setup --url ${shellQuote(url)} --root ${shellQuote(root)} --provisioner ${shellQuote(provisioner)} --password-file -`,
  stepRemove: 'lockstep ca step remove',
  issueLog: (filter: LogFilter): string => `lockstep certs list${logOptions(filter)}`,
  calendar: 'lockstep certs calendar',
  krl: 'lockstep certs krl',
  revoke: (serials: readonly string[], reason: string): string =>
    `lockstep certs revoke ${serials.join(' ')} --reason ${shellQuote(reason)}`,
  revokeOfNode: (node: string, reason: string): string =>
    `lockstep certs revoke --node ${shellQuote(node)} --reason ${shellQuote(reason)}`,
  renewAll: 'lockstep certs renew --all',
} as const
