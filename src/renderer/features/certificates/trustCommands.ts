import type { AuthorityKind } from '../../../shared/model/certificate.ts'
import { shellQuote } from '../../components/CliEquivalent.tsx'

type ByKind = Readonly<Record<AuthorityKind, string>>

/** More would be no command a person types. */
const mostNames = 12

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
  stepRemove: 'lockstep ca step remove',
  issueLog: 'lockstep certs list',
  calendar: 'lockstep certs calendar',
  krl: 'lockstep certs krl',
  revoke: (serials: readonly string[], reason: string): string =>
    `lockstep certs revoke ${serials.slice(0, mostNames).join(' ')} --reason ${shellQuote(reason)}`,
  renewAll: 'lockstep certs renew --all',
} as const
