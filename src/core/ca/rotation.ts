import type { AuthorityKind, RotationPhase } from '../../shared/model/certificate.ts'

/*
 * How one authority takes the place of another: nobody is asked to accept what the new one signed before everybody
 * trusts it, and nobody stops trusting the old one while something it signed is still in use.
 */

export type RotationStep = 'start' | 'advance' | 'rollBack'

export type RotationDecision =
  | { readonly kind: 'enter'; readonly phase: RotationPhase }
  /** The rotation is over; this one stays and the other one is destroyed. */
  | { readonly kind: 'finish'; readonly keep: RotationSide }
  | { readonly kind: 'refuse'; readonly why: string }

export type RotationSide = 'old' | 'new'

const enter = (phase: RotationPhase): RotationDecision => ({ kind: 'enter', phase })
const finish = (keep: RotationSide): RotationDecision => ({ kind: 'finish', keep })
const refuse = (why: string): RotationDecision => ({ kind: 'refuse', why })
const underWay = refuse('A rotation is under way. Finish it or roll it back first.')
const noneUnderWay = refuse('No rotation is under way. Start one first.')
const tooLate = refuse('The old authority is being taken away already. Finish this rotation, then start another one.')
const onItsWayBack = refuse('It is being rolled back already. Advance it to finish that.')

/** What each step means in each phase; null: no rotation. Gates are not decided here. */
const table: Readonly<Record<RotationStep, Readonly<Record<RotationPhase | 'none', RotationDecision>>>> = {
  start: { none: enter('trust'), trust: underWay, sign: underWay, retire: underWay, rollback: underWay },
  advance: {
    none: noneUnderWay,
    trust: enter('sign'),
    sign: enter('retire'),
    retire: finish('new'),
    rollback: finish('old'),
  },
  rollBack: {
    none: noneUnderWay,
    trust: enter('rollback'),
    sign: enter('rollback'),
    retire: tooLate,
    rollback: onItsWayBack,
  },
}

export function decideRotation(phase: RotationPhase | null, step: RotationStep): RotationDecision {
  return table[step][phase ?? 'none']
}

/** Which of the two signs. Without a rotation there is one only, the old one. */
export function signerDuring(phase: RotationPhase | null): RotationSide {
  return phase === 'sign' || phase === 'retire' ? 'new' : 'old'
}

/**
 * Which of the two count as trusted, the older first, so that a list of both does not change with who signs.
 *
 * On the way back nodes are told at once to trust no user certificate of the new authority: the old one signs again, so
 * that nobody needs it. Host and X.509 certificates of the new one lie on other machines until they are replaced: those
 * who check them trust both until then.
 */
export function trustedDuring(kind: AuthorityKind, phase: RotationPhase | null): readonly RotationSide[] {
  switch (phase) {
    case null:
      return ['old']
    case 'trust':
    case 'sign':
      return ['old', 'new']
    case 'retire':
      return ['new']
    case 'rollback':
      return kind === 'ssh-user' ? ['old'] : ['old', 'new']
  }
}
