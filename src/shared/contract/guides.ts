import { z } from 'zod'
import { GuideFix, GuideName, GuideReport } from '../model/guide.ts'
import { procedure } from './base.ts'
import { NodeReference } from './nodes.ts'

export const guidesContract = {
  /** Goes through the list of a trouble; reads only. A guide of a node needs one. */
  examine: procedure.input(z.object({ guide: GuideName, node: NodeReference.optional() })).output(GuideReport),
  /**
   * Does what a report has offered. @returns one line that says what was begun
   * @throws UNSUPPORTED for what only a person can do
   */
  fix: procedure.input(z.object({ fix: GuideFix })).output(z.object({ done: z.string() })),
}
