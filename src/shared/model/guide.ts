import { z } from 'zod'
import { Diagnosis } from './diagnosis.ts'
import { NodeId, PlanId, RolloutId, SourceId } from './ids.ts'

/** The troubles that people come with (S1.105-107). The first one is the fleet's, the others are a node's. */
export const GuideName = z.enum(['nothing-is-synced', 'node-stays-pending', 'routes-not-updating'])
export type GuideName = z.infer<typeof GuideName>

/** One look of a guide: changes nothing. */
export const GuideStep = z.object({
  /** What is asked, as a question. */
  question: z.string(),
  status: z.enum(['ok', 'warning', 'failed', 'skipped']),
  answer: z.string(),
  /** Lines as they were seen (redacted), most telling first. */
  evidence: z.array(z.string()),
  /** How to look by hand; null where nobody can. */
  byHand: z.string().nullable(),
})
export type GuideStep = z.infer<typeof GuideStep>

/** What the one button does. */
export const GuideFix = z.discriminatedUnion('kind', [
  /** One reconcile cycle of the whole fleet. */
  z.object({ kind: z.literal('reconcile') }),
  z.object({ kind: z.literal('resync'), nodeId: NodeId }),
  z.object({ kind: z.literal('renew-certificate'), nodeId: NodeId }),
  /** The engine runs this on the node: `docker compose restart` or what the plan says. */
  z.object({ kind: z.literal('restart-traefik'), nodeId: NodeId, planId: PlanId }),
  z.object({ kind: z.literal('refresh-source'), sourceId: SourceId }),
  z.object({ kind: z.literal('resume-rollout'), rolloutId: RolloutId }),
  z.object({ kind: z.literal('end-maintenance'), nodeId: NodeId }),
  /** A person has to decide, in the place that the console opens. */
  z.object({
    kind: z.literal('decide'),
    where: z.enum(['host-key', 'node', 'plan', 'run', 'vault', 'registry']),
    nodeId: NodeId.nullable(),
  }),
  /** Nothing that can be done from here; `command` is ready for a terminal on the node, or for somebody there. */
  z.object({ kind: z.literal('by-hand'), nodeId: NodeId.nullable(), command: z.string() }),
])
export type GuideFix = z.infer<typeof GuideFix>

/** A fix as it is offered: what it says on the button, and what pressing it changes, before it is pressed. */
export const OfferedFix = z.object({ fix: GuideFix, label: z.string(), preview: z.array(z.string()) })
export type OfferedFix = z.infer<typeof OfferedFix>

export const GuideReport = z.object({
  guide: GuideName,
  /** Null for the whole fleet. */
  nodeName: z.string().nullable(),
  steps: z.array(GuideStep),
  /** The one cause; null when nothing is wrong. */
  diagnosis: Diagnosis.nullable(),
  /** Null when nothing is wrong, or when only time helps. */
  offer: OfferedFix.nullable(),
})
export type GuideReport = z.infer<typeof GuideReport>
