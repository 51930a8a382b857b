import { createStore, useStore } from 'zustand'
import type { ErrorBody } from '../../shared/errors.ts'
import { toErrorBody } from '../api/errors.ts'
import type { EngineLink } from '../api/link.ts'

export const demoNodeCount = 12

interface DemoStart {
  readonly starting: boolean
  readonly error: ErrorBody | null
}

/** Outlives the view that started it: the first nodes appear long before the last server is up. */
const demo = createStore<DemoStart>(() => ({ starting: false, error: null }))

export const useDemoStart = (): DemoStart => useStore(demo)

/** Starts the demo fleet. Never throws; pressing again while it starts does nothing. */
export async function startDemo(link: EngineLink): Promise<void> {
  if (demo.getState().starting) return
  demo.setState({ starting: true, error: null })
  try {
    await link.client.demo.up({ nodes: demoNodeCount })
    // A first look should find a fleet in step, not twelve grey tiles that wait for the next cycle.
    await link.client.system.reconcile()
    demo.setState({ starting: false })
  } catch (thrown) {
    demo.setState({ starting: false, error: toErrorBody(thrown) })
  }
}
