import { useEffect, useState } from 'react'
import type { RegistryCheck } from '../../../../shared/contract/registry.ts'
import type { ErrorBody } from '../../../../shared/errors.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'

/** What the engine says of a text, while it is typed. */
export interface Checked {
  /** `old`: the answer is about an earlier text. `unasked`: there is no engine to ask. */
  readonly status: 'fresh' | 'old' | 'unasked'
  readonly result: RegistryCheck | null
  readonly error: ErrorBody | null
}

const pauseMs = 200

interface Answer {
  readonly text: string
  readonly against: number
  readonly result: RegistryCheck | null
  readonly error: ErrorBody | null
}

/**
 * Asks as soon as one stops typing, and again when another revision is in force.
 * @param text null: nothing to check
 */
export function useCheck(registry: RegistryKind, text: string | null, newestNumber: number): Checked {
  const { client } = useLink()
  const stale = useStale()
  const [answer, setAnswer] = useState<Answer | null>(null)
  useEffect(() => {
    if (text === null || stale) return
    const asked = new AbortController()
    const about = { text, against: newestNumber }
    const timer = setTimeout(() => {
      client.registry.check({ registry, text }, { signal: asked.signal }).then(
        (result) => asked.signal.aborted || setAnswer({ ...about, result, error: null }),
        (thrown: unknown) => asked.signal.aborted || setAnswer({ ...about, result: null, error: toErrorBody(thrown) }),
      )
    }, pauseMs)
    return () => {
      clearTimeout(timer)
      asked.abort()
    }
  }, [client, registry, text, newestNumber, stale])
  const isFresh = answer !== null && answer.text === text && answer.against === newestNumber
  return {
    status: isFresh ? 'fresh' : stale ? 'unasked' : 'old',
    result: text === null ? null : (answer?.result ?? null),
    error: isFresh ? answer.error : null,
  }
}
