import type { Clock } from '../../../platform/clock.ts'
import { AppError } from '../../../shared/errors.ts'
import type { NodeChannels, SshPool } from '../../ports.ts'

interface NodeChannelsDependencies {
  readonly sshPool: SshPool
  readonly clock: Clock
}

export function createNodeChannels(_dependencies: NodeChannelsDependencies): NodeChannels {
  return {
    exchange: async () => {
      throw new AppError('UNSUPPORTED', 'not there yet')
    },
    openChannels: () => 0,
    close: async () => undefined,
  }
}
