import { useCallback, useRef, useState } from 'react'
import type { ErrorBody } from '../../shared/errors.ts'
import { toErrorBody } from './errors.ts'

export interface CallState<Answer> {
  readonly busy: boolean
  readonly error: ErrorBody | null
  readonly answer: Answer | null
  /** Runs one call; the answer of an older one that comes later is dropped. Never throws; null when it failed. */
  readonly run: (call: () => Promise<Answer>) => Promise<Answer | null>
  readonly reset: () => void
}

/** One call at a time, with its waiting and its failure as state. */
export function useCall<Answer>(): CallState<Answer> {
  const [state, setState] = useState<Pick<CallState<Answer>, 'busy' | 'error' | 'answer'>>({
    busy: false,
    error: null,
    answer: null,
  })
  const newest = useRef(0)
  const run = useCallback(async (call: () => Promise<Answer>): Promise<Answer | null> => {
    newest.current += 1
    const number = newest.current
    setState((before) => ({ ...before, busy: true, error: null }))
    try {
      const answer = await call()
      if (number === newest.current) setState({ busy: false, error: null, answer })
      return answer
    } catch (thrown) {
      if (number === newest.current) setState((before) => ({ ...before, busy: false, error: toErrorBody(thrown) }))
      return null
    }
  }, [])
  const reset = useCallback(() => {
    newest.current += 1
    setState({ busy: false, error: null, answer: null })
  }, [])
  return { ...state, run, reset }
}
