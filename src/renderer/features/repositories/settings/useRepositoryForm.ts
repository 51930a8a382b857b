import { useState } from 'react'
import type { RepositoryInput } from '../../../../shared/model/repository.ts'
import { type FormField, type FormProblems, type RepositoryFormValues, readForm } from './formValues.ts'

export interface RepositoryFormState {
  readonly values: RepositoryFormValues
  /** Null while something is wrong. */
  readonly input: RepositoryInput | null
  /** Those of fields that were touched, or all once somebody pressed the button. */
  readonly problems: FormProblems
  readonly token: string
  readonly onChange: (change: Partial<RepositoryFormValues>) => void
  readonly onToken: (token: string) => void
  readonly onLeave: (field: FormField) => void
  readonly showAll: () => void
  readonly reset: (values: RepositoryFormValues) => void
}

/** A field is told what is wrong with it while somebody types in it, and not before. */
export function useRepositoryForm(initial: RepositoryFormValues, needsToken: boolean): RepositoryFormState {
  const [values, setValues] = useState(initial)
  const [token, setToken] = useState('')
  const [touched, setTouched] = useState<ReadonlySet<FormField> | 'all'>(new Set<FormField>())
  const touch = (fields: readonly string[]): void =>
    setTouched((before) => (before === 'all' ? before : new Set([...before, ...(fields as FormField[])])))
  const read = readForm(values)
  const lacksToken = needsToken && values.login === 'token' && token.trim() === ''
  const all: FormProblems = lacksToken ? { ...read.problems, token: 'It needs a token.' } : read.problems
  const problems =
    touched === 'all'
      ? all
      : Object.fromEntries(Object.entries(all).filter(([field]) => touched.has(field as FormField)))
  return {
    values,
    input: lacksToken ? null : read.input,
    problems,
    token,
    onChange: (change) => {
      setValues((before) => ({ ...before, ...change }))
      touch(Object.keys(change))
    },
    onToken: (next) => {
      setToken(next)
      touch(['token'])
    },
    onLeave: (field) => touch([field]),
    showAll: () => setTouched('all'),
    reset: (next) => {
      setValues(next)
      setToken('')
      setTouched(new Set<FormField>())
    },
  }
}
