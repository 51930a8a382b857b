import { lazy, Suspense } from 'react'
import type { RegistryProblem } from '../../../../shared/contract/registry.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { classNames } from '../../../components/classNames.ts'
import { updateQuery } from '../../../stores/route.ts'
import { type Draft, isReadable, type TextFormat } from '../draft/draft.ts'
import { draftStore } from '../draft/draftStore.ts'
import { registryWords } from '../registryWords.ts'
import type { TextTarget } from './TextEditor.tsx'

const TextEditor = lazy(async () => ({ default: (await import('./TextEditor.tsx')).TextEditor }))

interface TextViewProps {
  readonly registry: RegistryKind
  readonly draft: Draft
  readonly format: TextFormat
  readonly text: string
  readonly problems: readonly RegistryProblem[]
  readonly target: TextTarget | null
}

const formats: readonly { readonly id: TextFormat; readonly label: string }[] = [
  { id: 'json', label: 'JSON' },
  { id: 'yaml', label: 'YAML' },
]

/** The draft as a text. */
export function TextView({ registry, draft, format, text, problems, target }: TextViewProps) {
  const store = draftStore(registry)
  const choose = (next: TextFormat): void => {
    if (next === format || !isReadable(draft)) return
    // What was typed is the same content in the other form; only its layout and comments stay behind.
    if (draft.typed !== null) store.change((root) => root)
    updateQuery({ format: next }, { replace: true })
  }
  const isStuck = draft.typed !== null && problems.length > 0 && !isReadable(draft)
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex shrink-0 items-center gap-2 border-b px-4 py-1.5">
        <fieldset aria-label="Form of the text" className="flex gap-1">
          {formats.map(({ id, label }) => (
            <button
              key={id}
              type="button"
              aria-pressed={format === id}
              disabled={isStuck && id !== format}
              onClick={() => choose(id)}
              className={classNames(
                'h-7 rounded-md px-2 text-muted hover:bg-hover hover:text-text disabled:opacity-55',
                format === id && 'bg-selection text-text',
              )}
            >
              {label}
            </button>
          ))}
        </fieldset>
        <p className="min-w-0 flex-1 text-12 text-muted">
          {isStuck
            ? 'The other form comes back as soon as the text can be read.'
            : 'Values called password, secret, token, api_key, private_key or credential are sealed when they are saved. Comments are not kept.'}
        </p>
      </div>
      <div className="min-h-0 flex-1">
        <Suspense fallback={<p className="p-4 text-muted">Loading the editor</p>}>
          <TextEditor
            label={`The ${registryWords[registry].title} as ${format === 'json' ? 'JSON' : 'YAML'}`}
            text={text}
            format={format}
            problems={problems}
            target={target}
            readOnly={false}
            onChange={(next) => store.type(format, next)}
          />
        </Suspense>
      </div>
    </div>
  )
}
