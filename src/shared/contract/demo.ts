import { z } from 'zod'
import { DemoAgent, DemoFault, DemoStatus } from '../model/demo.ts'
import { DisplayName } from '../model/text.ts'
import { procedure } from './base.ts'

/** The demo fleet: real SSH servers on this machine. */
export const demoContract = {
  status: procedure.output(DemoStatus),
  /**
   * Starts the servers, registers the nodes and seeds a plan; what is already up stays. With `registry` also a service
   * registry, where there is none, and plans that bring it to VPS nodes, laptops and workers. With `repository` also a
   * small repository, and a plan that brings it to three nodes.
   */
  up: procedure
    .input(
      z.object({
        nodes: z.number().int().min(1).max(1000).default(12),
        registry: z.boolean().default(false),
        repository: z.boolean().default(false),
      }),
    )
    .output(DemoStatus),
  /** Stops the servers, removes their files and registrations. */
  down: procedure.output(DemoStatus),
  fault: procedure.input(z.object({ node: z.string().min(1), fault: DemoFault })).output(DemoStatus),
  /** Enrolls a real agent that pushes to a storage of the demo; switches the gateway on, on loopback, if it is off. */
  enrollAgent: procedure.input(z.object({ name: DisplayName.default('demo-agent-01') })).output(DemoAgent),
  heal: procedure.input(z.object({ node: z.string().min(1) })).output(DemoStatus),
}
