import type { AuthorityKind, RotationPhase } from '../../../../shared/model/certificate.ts'

/** What each authority is, and what follows from it. */
export const authorityWords: Readonly<
  Record<AuthorityKind, { readonly title: string; readonly what: string; readonly missing: string }>
> = {
  'ssh-user': {
    title: 'SSH user authority',
    what: 'Signs what lets us, terminals and agents log in to nodes.',
    missing: 'Without it nobody logs in: it is made with the first start of the engine.',
  },
  'ssh-host': {
    title: 'SSH host authority',
    what: 'Signs the host keys of nodes, so that clients know them without asking.',
    missing: 'Create it to give nodes host certificates. Until then a host key is compared by a person once.',
  },
  x509: {
    title: 'X.509 authority',
    what: 'Signs the TLS certificates of the gateway and of agents.',
    missing: 'Create it before agents are to report here. Switching on the gateway does it too.',
  },
}

interface PhaseWords {
  readonly title: string
  /** What is so while it lasts. */
  readonly now: string
  /** What the button to the next phase says. */
  readonly next: string
  readonly nextEffect: string
}

export const phaseWords: Readonly<Record<RotationPhase, PhaseWords>> = {
  trust: {
    title: 'Trust old and new',
    now: 'Both are trusted; the old one still signs.',
    next: 'Let the new one sign…',
    nextEffect:
      'From then on the new authority signs every certificate. Both stay trusted, so nothing that is out stops working.',
  },
  sign: {
    title: 'New one signs',
    now: 'Both are trusted; the new one signs.',
    next: 'Let the old one go…',
    nextEffect:
      'The old authority is taken off every node. Certificates that it signed stop working there; this cannot be rolled back.',
  },
  retire: {
    title: 'Old one goes',
    now: 'Only the new one is trusted wherever it is proven; the old one is being taken away.',
    next: 'Finish…',
    nextEffect: 'The rotation ends. The key of the old authority is destroyed.',
  },
  rollback: {
    title: 'Back to the old one',
    now: 'The old one signs again; the new one is being taken away.',
    next: 'Finish…',
    nextEffect: 'The rotation ends where it began. The key of the new authority is destroyed.',
  },
}
