import { useEffect, useState } from 'react'
import type { EngineStateReport } from '../../shared/desktopBridge.ts'
import { useLink } from './LinkContext.tsx'

/** How the engine of the desktop app fares, and whose it is; null in a browser, and until it has said so. */
export function useEngineReport(): EngineStateReport | null {
  const { desktop } = useLink().shell
  const [report, setReport] = useState<EngineStateReport | null>(null)
  useEffect(() => desktop?.onEngineState(setReport), [desktop])
  return report
}
