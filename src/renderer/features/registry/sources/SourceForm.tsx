import { useState } from 'react'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { type RegistrySource, SourceInput } from '../../../../shared/model/registrySource.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { Choice } from '../../../components/Choice.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Field } from '../../../components/Field.tsx'
import { registryWords } from '../registryWords.ts'
import { emptySourceForm, type SourceFormValues, sourceInputOf } from './formValues.ts'

/** A file or a ConfigMap to follow. */
export function SourceForm({ onClose }: { readonly onClose: () => void }) {
  const { client } = useLink()
  const [values, setValues] = useState<SourceFormValues>(emptySourceForm)
  const [asked, setAsked] = useState(false)
  const call = useCall<RegistrySource>()
  const parsed = SourceInput.safeParse(sourceInputOf(values))
  const problems = parsed.success || !asked ? [] : parsed.error.issues
  const problemAt = (...path: string[]): string | null =>
    problems.find((issue) => issue.path.join('.') === path.join('.'))?.message ?? null
  const set = (change: Partial<SourceFormValues>): void => setValues({ ...values, ...change })
  const add = async (): Promise<void> => {
    setAsked(true)
    if (parsed.success && (await call.run(() => client.sources.add(parsed.data))) !== null) onClose()
  }
  const text = (name: keyof SourceFormValues, ...path: string[]) => ({
    value: String(values[name]),
    spellCheck: false,
    problem: problemAt(...path),
    onChange: (event: { readonly target: { readonly value: string } }) => set({ [name]: event.target.value }),
  })
  return (
    <form
      aria-label="Add a source"
      className="flex max-w-xl flex-col gap-3 rounded-md border bg-surface p-4"
      onSubmit={(event) => {
        event.preventDefault()
        void add()
      }}
    >
      <Choice
        label="What it holds"
        value={values.registry}
        options={(['services', 'nodes'] as const).map((each) => [each, registryWords[each].title])}
        onChange={(registry: RegistryKind) => set({ registry })}
      />
      <Choice
        label="Where it lies"
        value={values.kind}
        options={[
          ['file', 'a file on the machine of the engine'],
          ['configMap', 'a ConfigMap in Kubernetes'],
        ]}
        onChange={(kind: SourceFormValues['kind']) => set({ kind })}
      />
      <Field label="Name" hint="What it is called here." {...text('name', 'name')} />
      {values.kind === 'file' ? (
        <Field
          label="Path"
          hint="Absolute; JSON or YAML. Followed as it is replaced or written."
          {...text('path', 'place', 'path')}
        />
      ) : (
        <>
          <div className="grid grid-cols-2 gap-3">
            <Field label="Namespace" {...text('namespace', 'place', 'namespace')} />
            <Field label="ConfigMap" {...text('configMap', 'place', 'name')} />
          </div>
          <Field label="Key" hint="Below data; empty when there is just one." {...text('key', 'place', 'key')} />
          <div className="grid grid-cols-2 gap-3">
            <Field label="Context" hint="Empty: the current one." {...text('context', 'place', 'context')} />
            <Field
              label="kubeconfig"
              hint="Empty: KUBECONFIG, ~/.kube/config, or the cluster we run in."
              {...text('kubeconfigFile', 'place', 'kubeconfigFile')}
            />
          </div>
          {values.registry === 'nodes' && (
            <label className="flex items-center gap-2">
              <input
                type="checkbox"
                className="accent-accent"
                checked={values.writeStatusBack}
                onChange={(event) => set({ writeStatusBack: event.target.checked })}
              />
              Write status, last sync and last attempt of the nodes back into it
            </label>
          )}
          <label className="flex items-center gap-2">
            <input
              type="checkbox"
              className="accent-accent"
              checked={values.allowUnverifiedTls}
              onChange={(event) => set({ allowUnverifiedTls: event.target.checked })}
            />
            Follow it although its kubeconfig says insecure-skip-tls-verify
          </label>
          {values.allowUnverifiedTls && (
            <p className="text-12 text-pending">
              Anybody between this machine and the cluster can then read its credentials and write the registry.
            </p>
          )}
        </>
      )}
      {call.error !== null && <ErrorNote error={call.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" variant="primary" busy={call.busy}>
          Follow it
        </Button>
      </div>
    </form>
  )
}
