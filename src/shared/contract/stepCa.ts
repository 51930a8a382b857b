import { z } from 'zod'
import { StepCaSettings, StepCaStatus } from '../model/stepCa.ts'
import { procedure } from './base.ts'

export const stepCaContract = {
  /** Asks the step-ca; an answer of its own is never an exception. */
  status: procedure.output(StepCaStatus),
  /** Proves pin, provisioner and password with a real signature, then keeps them; the password is sealed. */
  configure: procedure
    .input(z.object({ settings: StepCaSettings, password: z.string().min(1).max(1024) }))
    .output(StepCaStatus),
  /** Who signs user certificates from now on. Nodes have to trust it already: see plan kind `trust`. */
  use: procedure.input(z.object({ issuer: z.enum(['embedded', 'step-ca']) })).output(StepCaStatus),
  remove: procedure.output(StepCaStatus),
}
