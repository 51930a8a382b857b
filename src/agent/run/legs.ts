import { homedir } from 'node:os'
import { join } from 'node:path'
import { sshCommandOf, storageAlias } from '../../core/agent/sshConfig.ts'
import { withoutTrailingSlashes } from '../../core/transfer/paths.ts'
import type { RsyncTransfer } from '../../core/transfer/rsyncArguments.ts'
import type { AgentSetup } from '../config.ts'
import type { Direction, Leg, StepContext, TransferOptions } from './context.ts'

/** A directory of this machine as one path; `~/` is the home of whoever runs the agent. */
export function localPath(path: string): string {
  return withoutTrailingSlashes(path.startsWith('~/') ? join(homedir(), path.slice(2)) : path)
}

export function legsOf({ config }: AgentSetup, direction: Direction): Leg[] {
  return config.sync[direction].map(({ source, target }, index) =>
    direction === 'push'
      ? { direction, index, local: localPath(source), remote: target }
      : { direction, index, local: localPath(target), remote: source },
  )
}

/** How rsync is told about this leg. Nothing is deleted unless `options` say so. */
export function transferOf(leg: Leg, { setup, memory }: StepContext, options: TransferOptions = {}): RsyncTransfer {
  return {
    direction: leg.direction,
    localDirectory: leg.local,
    remoteDirectory: leg.remote,
    excludes: setup.config.sync.excludes,
    bandwidthKiBps: null,
    access: { sshCommand: sshCommandOf(setup.state.sshConfig), hostAlias: storageAlias },
    remoteProgram: 'rsync',
    deletes: null,
    dryRun: false,
    checksum: memory.compareContent,
    listEqual: false,
    replaceTogether: memory.receiverWasEmpty[leg.direction][leg.index] !== true,
    ...options,
  }
}
