import { RolloutSettings } from '../../shared/model/rollout.ts'
import type { StoreReader } from '../ports.ts'

export const settingsKey = 'rollouts.settings'

/** How changes of the registry go out; the defaults until somebody says otherwise. */
export async function readSettings(reader: Pick<StoreReader, 'getSetting'>): Promise<RolloutSettings> {
  const stored = await reader.getSetting(settingsKey)
  return RolloutSettings.parse(stored === null ? {} : JSON.parse(stored))
}
