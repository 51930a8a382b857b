import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { authorityKinds, RotationPhase } from '../../shared/model/certificate.ts'
import { decideRotation, type RotationStep, signerDuring, trustedDuring } from './rotation.ts'

const phases = [null, ...RotationPhase.options]
const steps: readonly RotationStep[] = ['start', 'advance', 'rollBack']

describe('the phases of a rotation', () => {
  it('F55 go from trust over sign and retire to the end, and back from trust and sign only', () => {
    const decisions = phases.map((phase) =>
      steps.map((step) => {
        const decision = decideRotation(phase, step)
        return decision.kind === 'enter' ? decision.phase : decision.kind === 'finish' ? decision.keep : 'no'
      }),
    )
    expect(Object.fromEntries(phases.map((phase, index) => [phase ?? 'none', decisions[index]]))).toEqual({
      none: ['trust', 'no', 'no'],
      trust: ['no', 'sign', 'rollback'],
      sign: ['no', 'retire', 'rollback'],
      retire: ['no', 'new', 'no'],
      rollback: ['no', 'old', 'no'],
    })
  })

  it('says what to do instead, wherever it says no', () => {
    for (const phase of phases)
      for (const step of steps) {
        const decision = decideRotation(phase, step)
        if (decision.kind === 'refuse') expect(decision.why).toMatch(/first|Finish|Advance|Start/)
      }
  })

  it('F55 who signs is trusted in every phase, by users, hosts and agents', () => {
    for (const kind of authorityKinds)
      for (const phase of phases) expect(trustedDuring(kind, phase)).toContain(signerDuring(phase))
  })

  it('F55 whatever is asked in whatever order, what was just signed is still trusted after the next step', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...steps), { maxLength: 40 }), (asked) => {
        let phase: RotationPhase | null = null
        for (const step of asked) {
          const signer = signerDuring(phase)
          const decision = decideRotation(phase, step)
          if (decision.kind === 'refuse') continue
          const next: RotationPhase | null = decision.kind === 'enter' ? decision.phase : null
          // On the way back users are re-certified at once; for all other steps nothing that is in use is dropped.
          if (decision.kind === 'enter' && next !== 'rollback')
            expect(trustedDuring('ssh-user', next)).toContain(signer)
          if (decision.kind === 'finish') expect(decision.keep).toBe(signer)
          expect(trustedDuring('x509', next)).toContain(next === null ? 'old' : signer)
          phase = next
        }
      }),
      { numRuns: 300 },
    )
  })
})
