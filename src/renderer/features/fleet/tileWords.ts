import type { Tile } from '../../../core/fleet/health.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { coarse, formatRelative } from '../../components/format.ts'
import { fillWords } from '../../components/StatusMark.tsx'

/** `16 h left`, `expired`, `none`, `static key`. */
export function certificateWords(tile: Tile): string {
  if (tile.certificate.level === 'none') return 'none'
  if (tile.certificate.level === 'expired') return 'expired'
  if (tile.certificate.level === 'static-key') return 'static key'
  return `${coarse(tile.certificate.remainingMs)} left`
}

/** The same where nothing around it says that it is about the certificate. */
export function loginWords(tile: Tile): string {
  if (tile.certificate.level === 'none') return 'no certificate'
  return tile.certificate.level === 'static-key' ? 'static key' : `certificate ${certificateWords(tile)}`
}

export const verifiedWords = (tile: Tile, nowMs: number): string =>
  tile.verifiedAt === null ? 'not verified' : `verified ${formatRelative(tile.verifiedAt, nowMs)}`

/** Everything the tile draws, read aloud. */
export function tileSentence(node: FleetNode, tile: Tile, nowMs: number): string {
  const parts = [node.name, fillWords[tile.fill]]
  if (tile.short !== fillWords[tile.fill]) parts.push(tile.short)
  if (tile.busy) parts.push('a run works on it')
  if (tile.drift) parts.push('not proven')
  if (tile.locked) parts.push('locked')
  parts.push(verifiedWords(tile, nowMs), loginWords(tile))
  if (node.krl !== null) parts.push(`revocation list ${node.krl.version}`)
  return parts.join(', ')
}

const sentenceWithoutDiagnosis: Readonly<Record<Tile['fill'], (name: string) => string>> = {
  'in-step': (name) => `${name} is in step: every plan was read back from it at the revision wanted now.`,
  maintenance: (name) => `${name} is in maintenance: nothing is pushed to it until that is switched off.`,
  'never-synced': (name) => `${name} was never synced. Resync pushes to it for the first time.`,
  pending: (name) =>
    `${name} has not been verified at the revision wanted now. The next cycle pushes to it, or press Resync.`,
  error: (name) => `${name} keeps failing. Look at its last run, or let doctor look at the node.`,
  halted: (name) => `A run on ${name} stopped itself before doing harm and waits for a person. Open the run to decide.`,
  unreachable: (name) => `${name} does not answer. It will catch up by itself when it is back.`,
}

/** One sentence: the thing, the cause, the next step. */
export function whySentence(node: FleetNode, tile: Tile): string {
  if (tile.fill === 'pending' && node.plans.length === 0)
    return `No plan reaches ${node.name} yet, so nothing can be verified on it. Write a plan whose selector matches it.`
  if (tile.diagnosis !== null) return tile.diagnosis.sentence
  if (tile.fill === 'pending' && tile.drift)
    return `What lies on ${node.name} is not proven: it changed after it was last read back. Resync puts it right and reads it back.`
  return sentenceWithoutDiagnosis[tile.fill](node.name)
}
