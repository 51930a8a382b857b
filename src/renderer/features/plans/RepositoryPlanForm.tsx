import { useQuery } from '@tanstack/react-query'
import { useId, useMemo, useState } from 'react'
import type { PlanInput } from '../../../shared/model/plan.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Choice } from '../../components/Choice.tsx'
import { classNames } from '../../components/classNames.ts'
import { Field } from '../../components/Field.tsx'
import { Labelled } from '../../components/Labelled.tsx'
import { useReplica, useRevision } from '../../stores/ReplicaContext.tsx'
import { formatHash } from '../../stores/route.ts'
import { headNames, headWords } from '../repositories/repositoryWords.ts'
import { Check, Group } from '../repositories/settings/formParts.tsx'
import { formatPlanDocument, type PlanProblem } from './planDocument.ts'

interface FormValues {
  readonly name: string
  readonly selector: string
  readonly repository: string
  readonly refKind: 'branch' | 'tag' | 'commit'
  /** Empty with a branch: the default one. */
  readonly ref: string
  readonly target: string
  /** `node: directory`, one a line. */
  readonly targets: string
  readonly strategy: 'in-place' | 'release'
  readonly keep: string
  readonly excludes: string
  readonly delete: boolean
  /** In percent. */
  readonly maxShare: string
  readonly freeFiles: string
  readonly verify: 'sample' | 'full'
  readonly sampleFiles: string
  readonly excludeDotGit: boolean
}

const initialValues = (repository: string, taken: ReadonlySet<string>): FormValues => ({
  name: freeName(repository === '' ? 'repository' : repository, taken),
  selector: 'kind:vm',
  repository,
  refKind: 'branch',
  ref: '',
  target: repository === '' ? '~/th_timmy' : `~/${repository.replace(/[^A-Za-z0-9._-]+/g, '-')}`,
  targets: '',
  strategy: 'in-place',
  keep: '5',
  excludes: '__pycache__\n.vscode',
  delete: true,
  maxShare: '25',
  freeFiles: '10',
  verify: 'sample',
  sampleFiles: '200',
  excludeDotGit: true,
})

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name
  for (let number = 2; taken.has(free); number += 1) free = `${name} ${number}`
  return free
}

/** What is no number stays what it is, so that the model says what is wrong with it. */
const numberOf = (text: string): number | string =>
  /^\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text.trim()) : text.trim()

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

function refOf({ refKind, ref }: FormValues): unknown {
  const name = ref.trim()
  if (refKind === 'commit') return { kind: refKind, commit: name.toLowerCase() }
  return { kind: refKind, name: refKind === 'branch' && name === '' ? null : name }
}

const targetsOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    linesOf(text).map((line) => {
      const at = line.indexOf(':')
      return at === -1 ? [line, ''] : [line.slice(0, at).trim(), line.slice(at + 1).trim()]
    }),
  )

function specOf(values: FormValues): Readonly<Record<string, unknown>> {
  const share = numberOf(values.maxShare)
  return {
    repository: values.repository,
    ref: refOf(values),
    target: values.target.trim(),
    targets: targetsOf(values.targets),
    strategy:
      values.strategy === 'release' ? { kind: 'release', keep: numberOf(values.keep) } : { kind: values.strategy },
    excludes: linesOf(values.excludes),
    excludeDotGit: values.excludeDotGit,
    delete: values.delete,
    deleteLimits: {
      maxShare: typeof share === 'number' ? share / 100 : share,
      freeFiles: numberOf(values.freeFiles),
    },
    verify:
      values.verify === 'sample' ? { mode: 'sample', files: numberOf(values.sampleFiles) } : { mode: values.verify },
  }
}

const documentOf = (values: FormValues): string =>
  formatPlanDocument([
    { name: values.name, kind: 'repository', selector: values.selector, spec: specOf(values) } as unknown as PlanInput,
  ])

export const newRepositoryPlanDocument = (repository: string, taken: ReadonlySet<string>): string =>
  documentOf(initialValues(repository, taken))

interface RepositoryPlanFormProps {
  /** Where the way here began; empty: to be chosen. */
  readonly repository: string
  readonly names: ReadonlySet<string>
  readonly problems: readonly PlanProblem[]
  /** The document that says the same as the form. */
  readonly onChange: (text: string) => void
}

/** Which commit of which repository lies where on which nodes. */
export function RepositoryPlanForm({ repository, names, problems, onChange }: RepositoryPlanFormProps) {
  const [values, setValues] = useState(() => initialValues(repository, names))
  const set = (change: Partial<FormValues>): void => {
    const next = { ...values, ...change }
    setValues(next)
    onChange(documentOf(next))
  }
  const problemAt = (...paths: readonly string[]): string | null =>
    problems.find(({ where }) =>
      where.split(', ').some((part) => paths.some((path) => part === path || part.startsWith(`${path}.`))),
    )?.message ?? null
  const text = (name: keyof FormValues, ...paths: readonly string[]) => ({
    value: String(values[name]),
    spellCheck: false,
    problem: problemAt(...paths),
    onChange: (event: { readonly target: { readonly value: string } }) => set({ [name]: event.target.value }),
  })
  return (
    <div className="flex h-full flex-col gap-4 overflow-auto p-4">
      <p className="max-w-2xl text-muted">
        Brings a commit of a repository to each node, as a tree of files: searched for secrets first, and proven by what
        is read back. A plan that follows a branch gets a new revision with every commit that is fetched.
      </p>
      <div className="flex max-w-2xl flex-col gap-3">
        <div className="grid grid-cols-2 gap-3">
          <Field label="Name" {...text('name', 'name')} />
          <Field
            label="Which nodes"
            hint="In the filter language of the map; * means every node."
            {...text('selector', 'selector')}
          />
        </div>
        <Group title="What">
          <RepositoryChoice values={values} problem={problemAt('spec.repository')} onChange={set} />
          <RefFields values={values} problem={problemAt('spec.ref')} onChange={set} />
        </Group>
        <Group title="Where to">
          <Field label="Directory on the node" hint="~ is expanded there." {...text('target', 'spec.target')} />
          <Lines
            label="Another directory for some nodes"
            hint="name: directory, one a line."
            placeholder="vm02: /opt/th_timmy"
            {...text('targets', 'spec.targets')}
          />
          <Choice
            label="How it gets there"
            value={values.strategy}
            options={[
              ['in-place', 'in place, over what lies there'],
              ['release', 'as a release beside the one in use, then current is pointed at it'],
            ]}
            hint={
              values.strategy === 'release'
                ? `Programs use ${values.target}/current. They see the old commit or the new one, never a mix; rolling back takes a moment.`
                : 'While it is sent, programs on the node may see files of both commits.'
            }
            onChange={(strategy) => set({ strategy })}
          />
          {values.strategy === 'release' && (
            <Field label="Releases to keep" inputMode="numeric" {...text('keep', 'spec.strategy')} />
          )}
        </Group>
        <Group title="What is left out, and what is deleted">
          <Lines label="Excludes" hint="Patterns of rsync, one a line." {...text('excludes', 'spec.excludes')} />
          <Check checked={values.excludeDotGit} onChange={(excludeDotGit) => set({ excludeDotGit })}>
            Without .git
          </Check>
          <Check
            checked={values.delete}
            hint="Never the sentinel, and never what is excluded."
            onChange={(next) => set({ delete: next })}
          >
            Delete on the node what the commit does not have
          </Check>
          {values.delete && (
            <div className="grid grid-cols-2 gap-3">
              <Field
                label="Hold back above so many percent of the files"
                inputMode="decimal"
                {...text('maxShare', 'spec.deleteLimits.maxShare')}
              />
              <Field
                label="Never for so few files"
                inputMode="numeric"
                {...text('freeFiles', 'spec.deleteLimits.freeFiles')}
              />
            </div>
          )}
        </Group>
        <Group title="What counts as verified">
          <div className="grid grid-cols-2 gap-3">
            <Choice
              label="Hashed on the node, besides the sentinel"
              value={values.verify}
              options={[
                ['sample', 'a sample of the files'],
                ['full', 'all files'],
              ]}
              onChange={(verify) => set({ verify })}
            />
            {values.verify === 'sample' && (
              <Field label="Files in the sample" inputMode="numeric" {...text('sampleFiles', 'spec.verify')} />
            )}
          </div>
        </Group>
      </div>
    </div>
  )
}

interface PartProps {
  readonly values: FormValues
  readonly problem: string | null
  readonly onChange: (change: Partial<FormValues>) => void
}

function useRepositories() {
  const { client } = useLink()
  const revision = useRevision('repositories')
  return useQuery({ queryKey: ['repositories', revision], queryFn: () => client.repositories.list() })
}

function RepositoryChoice({ values, problem, onChange }: PartProps) {
  const { data = [], isSuccess } = useRepositories()
  const plans = useReplica((state) => state.plans)
  const taken = useMemo(() => new Set([...plans.values()].map(({ name }) => name)), [plans])
  const names = data.map(({ settings }) => settings.name)
  const isUnknown = values.repository !== '' && isSuccess && !names.includes(values.repository)
  const choose = (repository: string): void =>
    onChange({
      repository,
      // What nobody has changed follows the choice.
      ...(values.name === initialValues(values.repository, taken).name && {
        name: initialValues(repository, taken).name,
      }),
      ...(values.target === initialValues(values.repository, taken).target && {
        target: initialValues(repository, taken).target,
      }),
    })
  return (
    <>
      <Choice
        label="Repository"
        value={values.repository}
        options={[
          ...(values.repository === '' || isUnknown
            ? [[values.repository, values.repository || 'choose one'] as const]
            : []),
          ...names.map((name) => [name, name] as const),
        ]}
        problem={
          isUnknown ? 'There is no repository of this name.' : values.repository === '' ? 'Choose one.' : problem
        }
        onChange={choose}
      />
      {isSuccess && names.length === 0 && (
        <p className="text-12">
          There is none yet.{' '}
          <a className="text-accent underline" href={formatHash({ view: 'repositories', path: ['add'] })}>
            Add a repository
          </a>
        </p>
      )}
    </>
  )
}

function RefFields({ values, problem, onChange }: PartProps) {
  const { data = [] } = useRepositories()
  const listId = useId()
  const repository = data.find(({ settings }) => settings.name === values.repository)
  const known = repository === undefined ? [] : headNames(repository)
  const isTag = (name: string): boolean => name.startsWith('tags/')
  const offered = known
    .filter((name) => values.refKind !== 'commit' && isTag(name) === (values.refKind === 'tag'))
    .map((name) => headWords(name).replace(/^tag /, ''))
  return (
    <div className="grid grid-cols-2 gap-3">
      <Choice
        label="Which commit"
        value={values.refKind}
        options={[
          ['branch', 'the newest of a branch'],
          ['tag', 'the one of a tag'],
          ['commit', 'one commit, whatever comes later'],
        ]}
        onChange={(refKind) => onChange({ refKind, ref: '' })}
      />
      <Field
        label={values.refKind === 'branch' ? 'Branch' : values.refKind === 'tag' ? 'Tag' : 'Commit'}
        list={listId}
        spellCheck={false}
        value={values.ref}
        placeholder={values.refKind === 'branch' ? (repository?.settings.defaultBranch ?? 'the default branch') : ''}
        hint={
          values.refKind === 'branch'
            ? 'Empty: the default branch of the repository.'
            : values.refKind === 'commit'
              ? 'All its digits.'
              : 'As it is called in git.'
        }
        problem={problem}
        onChange={(event) => onChange({ ref: event.target.value })}
      />
      <datalist id={listId}>
        {offered.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </div>
  )
}

interface LinesProps {
  readonly label: string
  readonly hint: string
  readonly placeholder?: string
  readonly value: string
  readonly problem: string | null
  readonly onChange: (event: { readonly target: { readonly value: string } }) => void
}

function Lines({ label, hint, problem, ...rest }: LinesProps & { readonly spellCheck: boolean }) {
  return (
    <Labelled label={label} problem={problem} hint={hint}>
      {(control, border) => (
        <textarea
          {...control}
          rows={2}
          {...rest}
          className={classNames(
            'rounded-md border bg-ground px-2 py-1 font-mono text-12 placeholder:text-faint',
            border,
          )}
        />
      )}
    </Labelled>
  )
}
