import type { DoctorReport } from '../../shared/model/diagnosis.ts'
import type { GuideReport } from '../../shared/model/guide.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import { duration } from '../diagnose/sentences.ts'
import { shellWord } from '../transfer/remoteShell.ts'
import { needsNothing, plansBehind } from './behind.ts'
import { offerFor, resync, sshByHand } from './causes.ts'
import { type Finding, fine, fromDoctor, type Look, notLookedAt, odd, offered, reportOf, wrong } from './steps.ts'

/** What `tailscale status` said somewhere; null where there is none. */
export interface NetworkFacts {
  readonly where: 'here' | 'node'
  readonly text: string
}

export interface PendingFacts {
  readonly nowMs: number
  readonly node: FleetNode
  readonly doctor: DoctorReport
  readonly network: NetworkFacts | null
}

/** "Node stays in pending_sync" (S1.106). */
export function nodeStaysPending(facts: PendingFacts): GuideReport {
  const { node, doctor } = facts
  const way = doctor.diagnosis
  const wayFinding: Finding | null = way === null ? null : { diagnosis: way, offer: offerFor(node, way) }
  const asLooks = (looks: readonly Look[]) => looks.map(({ step, finding }) => ({ steps: [step], finding }))
  return reportOf('node-stays-pending', node.name, [
    ...asLooks([wanted(facts), maintenance(facts)]),
    { steps: fromDoctor(doctor.steps, sshByHand(node)), finding: wayFinding },
    ...asLooks([network(facts), halted(facts), lastTry(facts)]),
  ])
}

const plain = { nextAction: { kind: 'none', label: '' }, transient: false } as const

function wanted({ node }: PendingFacts): Look {
  const question = 'Is there anything to deliver?'
  const byHand = `lockstep nodes show ${shellWord(node.name)}`
  if (node.plans.length === 0)
    return wrong(
      question,
      {
        diagnosis: {
          code: 'PRECONDITION_FAILED',
          sentence: `No plan selects ${node.name}, so nothing can be verified on it and it never turns green. Write a plan for it, or widen a selector.`,
          short: 'no plan reaches',
          evidence: [],
          ...plain,
        },
        offer: offered(
          { kind: 'decide', where: 'plan', nodeId: node.id },
          'Open the plans',
          'Nothing is changed until you save.',
        ),
      },
      { byHand },
    )
  if (needsNothing(node))
    return fine(
      question,
      `no: ${node.plans.length === 1 ? 'its plan was' : `all ${node.plans.length} plans were`} read back from it`,
      { byHand },
    )
  return fine(question, `yes: ${plansBehind(node).join('; ') || 'the last try did not succeed'}`, { byHand })
}

function maintenance({ node }: PendingFacts): Look {
  const question = 'Is it left alone on purpose?'
  if (!node.maintenance) return fine(question, 'no')
  return wrong(question, {
    diagnosis: {
      code: 'PRECONDITION_FAILED',
      sentence: `${node.name} is in maintenance, so nothing is delivered to it. End the maintenance when you are done.`,
      short: 'in maintenance',
      evidence: [],
      ...plain,
    },
    offer: offered(
      { kind: 'end-maintenance', nodeId: node.id },
      'End the maintenance',
      `${node.name} is synced with the next cycle.`,
    ),
  })
}

function network({ network: seen, doctor }: PendingFacts): Look {
  const question = 'What does its private network say?'
  if (seen === null) return notLookedAt(question, 'neither this machine nor the node knows tailscale')
  const where = seen.where === 'here' ? 'this machine' : 'the node'
  const lines = seen.text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 10)
  const byHand = 'tailscale status'
  const offline = /\b(offline|stopped|logged out|needslogin)\b/i.test(seen.text)
  return offline && doctor.diagnosis !== null
    ? odd(question, `${where} says: ${lines[0] ?? ''}`, { evidence: lines, byHand })
    : fine(question, `asked on ${where}`, { evidence: lines, byHand })
}

function halted({ node }: PendingFacts): Look {
  const question = 'Does a run wait for a person?'
  if (node.haltedRunId === null) return fine(question, 'no')
  return wrong(question, {
    diagnosis: node.statusReason ?? {
      code: 'PRECONDITION_FAILED',
      sentence: `A run of ${node.name} has stopped itself and waits for a decision.`,
      short: 'held back',
      evidence: [],
      ...plain,
    },
    offer: offered(
      { kind: 'decide', where: 'run', nodeId: node.id },
      'See why',
      'Opens the run. Nothing goes on until you say so.',
    ),
  })
}

function lastTry({ node, nowMs }: PendingFacts): Look {
  const question = 'What became of the last try?'
  const byHand = `lockstep runs list --node ${shellWord(node.name)}`
  if (node.lastAttemptAt === null) return odd(question, 'it was never tried', { byHand })
  const when = `${duration(nowMs - node.lastAttemptAt)} ago`
  const reason = node.statusReason
  if (needsNothing(node)) return fine(question, `succeeded, ${when}`, { byHand })
  if (reason === null) return odd(question, `${when}, it left nothing to say; the next cycle tries again`, { byHand })
  return wrong(question, { diagnosis: reason, offer: offerFor(node, reason) ?? resync(node) }, { byHand })
}
