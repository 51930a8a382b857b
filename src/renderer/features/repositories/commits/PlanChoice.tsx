import { useId } from 'react'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import { refWords } from '../../plans/planWords.ts'

interface PlanChoiceProps {
  readonly plans: readonly PlanOf<'repository'>[]
  readonly value: string
  readonly onChange: (id: string) => void
}

/** Which plan is meant; with one there is nothing to choose. */
export function PlanChoice({ plans, value, onChange }: PlanChoiceProps) {
  const id = useId()
  const [only] = plans
  if (plans.length === 1 && only !== undefined)
    return (
      <p className="text-muted">
        Plan <span className="text-text">{only.name}</span>, which wants {refWords(only.spec.ref)} now.
      </p>
    )
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-12 text-muted">
        Plan
      </label>
      <select
        id={id}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        className="h-8 rounded-md border border-line-strong bg-ground px-2"
      >
        {plans.map((plan) => (
          <option key={plan.id} value={plan.id}>
            {plan.name}, wants {refWords(plan.spec.ref)} now
          </option>
        ))}
      </select>
    </div>
  )
}
