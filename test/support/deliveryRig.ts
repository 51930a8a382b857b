import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { formatServiceRegistry } from '../../src/core/registry/serviceRegistry.ts'
import type { FleetNode } from '../../src/shared/model/node.ts'
import type { RegistryService } from '../../src/shared/model/registry.ts'
import type { Run } from '../../src/shared/model/run.ts'
import { createRunRig, type RigOptions, type RunRig } from './runRig.ts'

export interface DeliveryRig extends RunRig {
  /** Home directory of the node's login user. */
  readonly home: string
  /** First directory of the node's PATH: programs that stand in for real ones. */
  readonly programs: string
  /** A new revision of the service registry. */
  registry(services: readonly RegistryService[]): Promise<void>
  /** Delivers the newest revision: every call is another revision of the plan. */
  deliver(kind: 'routes' | 'hosts', spec: object): Promise<Run>
  /** The same revision once more, as reconcile does. */
  again(kind: 'routes' | 'hosts'): Promise<Run>
  /** A shell script in `programs`. */
  program(name: string, script: string): Promise<void>
  state(): Promise<FleetNode>
}

export interface DeliveryRigOptions extends RigOptions {
  /** Command line that gets the one asked for as `$SSH_ORIGINAL_COMMAND`; default: `sh -c` with it. */
  readonly session?: string
}

/** A run rig whose node has programs of its own, and a registry. */
export async function createDeliveryRig({ session, ...options }: DeliveryRigOptions = {}): Promise<DeliveryRig> {
  const programs = await mkdtemp(join(tmpdir(), 'ls-programs-'))
  const start = session ?? 'exec sh -c "$SSH_ORIGINAL_COMMAND"'
  await writeFile(join(programs, 'session'), `#!/bin/sh\nPATH=${programs}:$PATH\nexport PATH\n${start}\n`)
  await chmod(join(programs, 'session'), 0o755)
  await chmod(programs, 0o755)
  const rig = await createRunRig({
    ...options,
    extraConfig: [`ForceCommand ${join(programs, 'session')}`, ...(options.extraConfig ?? [])],
  })
  let revisions = 0
  return {
    ...rig,
    programs,
    home: join(rig.remote, 'home'),
    registry: async (services) => {
      revisions += 1
      const revision = {
        registry: 'services',
        number: revisions,
        digest: 'a'.repeat(64),
        author: 'tester@here',
        at: revisions,
        comment: '',
        source: { kind: 'console' },
        entries: services.length,
      } as const
      const text = formatServiceRegistry(services)
      await rig.store.transact((transaction) => transaction.insertRevision({ revision: revision as never, text }))
    },
    deliver: async (kind, spec) => {
      await rig.planOf(kind, spec)
      return rig.run({ plan: kind })
    },
    again: (kind) => rig.run({ plan: kind }),
    program: async (name, script) => {
      await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`)
      await chmod(join(programs, name), 0o755)
    },
    state: () => rig.freshNode(),
    dispose: async () => {
      await rig.dispose()
      await rm(programs, { recursive: true, force: true })
    },
  }
}

/** Writes a file of the node, with the directories above it. */
export async function writeRemote(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  await chmod(path, mode)
}
