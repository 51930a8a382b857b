import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { type Portion, RolloutSettings } from '../../../shared/model/rollout.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { settingsSentence } from './rolloutWords.ts'

/** How changes of the registry go through the fleet from now on. */
export function RolloutSettingsDialog({ onClose }: { readonly onClose: () => void }) {
  const { client } = useLink()
  const query = useQuery({ queryKey: ['rollout-settings'], queryFn: () => client.rollouts.settings(), gcTime: 0 })
  const nodes = useReplica((state) => state.nodes.size)
  const { run, busy, error } = useCall<RolloutSettings>()
  const [draft, setDraft] = useState<RolloutSettings | null>(null)
  const settings = draft ?? query.data ?? null
  const valid = settings !== null && RolloutSettings.safeParse(settings).success
  const confirm = async (): Promise<void> => {
    if (settings !== null && (await run(() => client.rollouts.setSettings(settings))) !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      wide
      onClose={onClose}
      title="How should changes go out?"
      blastRadius={`every change of the registry, to up to ${nodes} nodes`}
      effect={settings === null ? 'Loading' : valid ? settingsSentence(settings) : 'Fill in every number.'}
      undo="Change it again. Rollouts that have begun keep what they began with."
      confirmLabel="Use this from now on"
      incomplete={!valid || draft === null}
      busy={busy}
      error={error ?? (query.error === null ? null : toErrorBody(query.error))}
      onConfirm={() => void confirm()}
    >
      {settings !== null && (
        <div className="flex flex-col gap-3">
          <PortionField
            label="First wave"
            none="No first wave: all at once"
            portion={settings.canary}
            onChange={(canary) => setDraft({ ...settings, canary })}
          />
          <PortionField
            label="Stop when so many fail in a wave"
            none="Never stop by itself"
            portion={settings.failureLimit}
            onChange={(failureLimit) => setDraft({ ...settings, failureLimit })}
          />
          <label className="flex items-center gap-2">
            <span className="w-56">At most at a time</span>
            <input
              type="number"
              min={1}
              max={10_000}
              placeholder="as many as this machine carries"
              value={settings.maxParallel ?? ''}
              onChange={({ target }) =>
                setDraft({ ...settings, maxParallel: target.value === '' ? null : Number(target.value) })
              }
              className={fieldClass}
            />
          </label>
          <CliEquivalent command={commandOf(settings)} />
        </div>
      )}
    </DecisionDialog>
  )
}

const fieldClass = 'h-7 w-56 rounded-md border border-line-strong bg-ground px-2 text-13 text-text'

interface PortionFieldProps {
  readonly label: string
  readonly none: string
  readonly portion: Portion | null
  readonly onChange: (portion: Portion | null) => void
}

function PortionField({ label, none, portion, onChange }: PortionFieldProps) {
  const amount = portion === null ? '' : portion.kind === 'count' ? portion.count : portion.percent
  const portionOf = (kind: string, number: number): Portion | null => {
    if (kind === 'none') return null
    return kind === 'count' ? { kind, count: number } : { kind: 'percent', percent: number }
  }
  return (
    <div className="flex items-center gap-2">
      <span className="w-56">{label}</span>
      <select
        aria-label={label}
        value={portion?.kind ?? 'none'}
        onChange={({ target }) => onChange(portionOf(target.value, Number(amount === '' ? 10 : amount)))}
        className={fieldClass}
      >
        <option value="none">{none}</option>
        <option value="count">This many nodes</option>
        <option value="percent">This share, in percent</option>
      </select>
      {portion !== null && (
        <input
          type="number"
          aria-label={`${label}: how many`}
          min={1}
          max={portion.kind === 'percent' ? 100 : 100_000}
          value={amount}
          onChange={({ target }) => onChange(portionOf(portion.kind, Number(target.value)))}
          className="h-7 w-24 rounded-md border border-line-strong bg-ground px-2 text-13 text-text"
        />
      )}
    </div>
  )
}

function commandOf({ canary, maxParallel, failureLimit }: RolloutSettings): string {
  const portion = (value: Portion | null): string =>
    value === null ? 'none' : value.kind === 'count' ? String(value.count) : `${value.percent}%`
  return `lockstep rollouts settings --canary ${portion(canary)} --failure-limit ${portion(failureLimit)} --max-parallel ${maxParallel ?? 'auto'}`
}
