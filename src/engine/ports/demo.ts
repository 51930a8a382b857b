import type { DemoAgent, DemoFault, DemoStatus } from '../../shared/model/demo.ts'
import type { SshdControl } from '../../shared/model/node.ts'

/** The demo fleet as the engine sees it: processes and directories, nothing of the registry. Implemented in `src/demo`. */
export interface DemoFleetControl {
  status(): Promise<DemoStatus>
  /** Starts missing servers so that `nodes` exist, each trusting `trustedUserCa` (one public key line). */
  up(options: { readonly nodes: number; readonly trustedUserCa: string }): Promise<DemoStatus>
  down(): Promise<DemoStatus>
  fault(node: string, fault: DemoFault): Promise<DemoStatus>
  heal(node: string): Promise<DemoStatus>
  /** The real agent program in a directory of its own, enrolled with this word. @throws GATEWAY_REFUSED, UNSUPPORTED */
  enrollAgent(order: {
    readonly name: string
    readonly joinSecret: string
    readonly storage: {
      readonly name: string
      readonly address: string
      readonly port: number
      readonly user: string
      readonly hostKeyFingerprint: string
    }
  }): Promise<DemoAgent>
  agentNames(): Promise<string[]>
  /** A bare repository with a few commits, and a clone of it; made where there is none. @throws PROGRAM_MISSING */
  ensureRepository(): Promise<{ readonly remoteUrl: string; readonly checkoutDirectory: string }>
  /** Host public key line, login user, principal and a source tree for the seeded plan. */
  describeForRegistration(): Promise<{
    readonly user: string
    readonly principal: string
    readonly sourceDirectory: string
    readonly targetDirectory: string
    readonly hostKeys: ReadonlyMap<string, string>
    readonly sshd: SshdControl
    /** For the seeded plans of routes and hosts. `traefikApi`: as every VPS reaches its own; null without a VPS. */
    readonly registry: {
      readonly routesFile: string
      readonly traefikPidFile: string
      readonly hostsFile: string
      readonly traefikApi: string | null
    }
  }>
}
