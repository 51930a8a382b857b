import { useEffect, useRef, useState } from 'react'
import type { FleetNode } from '../../../../../shared/model/node.ts'
import type { StorageSettings } from '../../../../../shared/model/storage.ts'
import { Button } from '../../../../components/Button.tsx'
import { classNames } from '../../../../components/classNames.ts'
import { Drawer } from '../../../../components/Drawer.tsx'
import { StoragePreviewStep } from './StoragePreviewStep.tsx'
import { StorageFacts } from './StorageSection.tsx'
import { StorageSettingsForm } from './StorageSettingsForm.tsx'

type Step =
  | { readonly kind: 'settings' }
  | { readonly kind: 'preview'; readonly settings: StorageSettings }
  | { readonly kind: 'done'; readonly node: FleetNode }

const steps = [
  ['settings', 'Settings'],
  ['preview', 'What changes'],
  ['done', 'Result'],
] as const

/** Three steps: who logs in and the way around, every line that changes, and what the fresh login proved. */
export function StorageDrawer({ node, onClose }: { readonly node: FleetNode; readonly onClose: () => void }) {
  const [step, setStep] = useState<Step>({ kind: 'settings' })
  const [settings, setSettings] = useState<StorageSettings | null>(node.storage?.settings ?? null)
  const title = useRef<HTMLHeadingElement>(null)
  // The button that was pressed is gone with its step: the focus goes on to the next one.
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when the step changes, whatever it is
  useEffect(() => title.current?.focus({ preventScroll: true }), [step.kind])
  return (
    <Drawer
      label={`Make ${node.name} a storage`}
      paneName="storage drawer"
      defaultWidth={760}
      onClose={onClose}
      header={
        <>
          <h2 ref={title} tabIndex={-1} className="truncate text-18 font-semibold outline-none">
            Make {node.name} a storage
          </h2>
          <Steps current={step.kind} />
        </>
      }
    >
      {step.kind === 'settings' && (
        <StorageSettingsForm
          initial={settings}
          onNext={(next) => {
            setSettings(next)
            setStep({ kind: 'preview', settings: next })
          }}
        />
      )}
      {step.kind === 'preview' && (
        <StoragePreviewStep
          node={node}
          settings={step.settings}
          onBack={() => setStep({ kind: 'settings' })}
          onApplied={(applied) => setStep({ kind: 'done', node: applied })}
        />
      )}
      {step.kind === 'done' && <Done node={step.node} onClose={onClose} />}
    </Drawer>
  )
}

function Steps({ current }: { readonly current: Step['kind'] }) {
  return (
    <ol className="flex gap-3 text-12">
      {steps.map(([kind, title], index) => (
        <li
          key={kind}
          aria-current={kind === current ? 'step' : undefined}
          className={classNames(kind === current ? 'font-semibold text-text' : 'text-faint')}
        >
          {index + 1}. {title}
        </li>
      ))}
    </ol>
  )
}

function Done({ node, onClose }: { readonly node: FleetNode; readonly onClose: () => void }) {
  return (
    <div className="flex flex-col gap-4 p-4">
      <p role="status" className="text-15">
        <span className="text-in-step">Verified by a fresh login:</span> {node.name} is a storage now.
      </p>
      {node.storage !== null && <StorageFacts storage={node.storage} />}
      <div>
        <Button onClick={onClose}>Close</Button>
      </div>
    </div>
  )
}
