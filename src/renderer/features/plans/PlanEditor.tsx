import { useMutation } from '@tanstack/react-query'
import { useId, useMemo, useState } from 'react'
import type { PlanClash } from '../../../core/fleet/planClashes.ts'
import { type Plan, type PlanInput, planKinds } from '../../../shared/model/plan.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { engineNowMs, useNow } from '../../stores/clock.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { filterHash, formatHash, navigate, updateQuery } from '../../stores/route.ts'
import { Clashes, useClashes } from './Clashes.tsx'
import {
  effectOf,
  formatPlanDocument,
  newPlanDocument,
  type PlanEffect,
  type PlanProblem,
  parsePlanDocument,
} from './planDocument.ts'
import { kindWords, planLines, planWarning } from './planWords.ts'
import { RemovePlan } from './RemovePlan.tsx'
import { newRepositoryPlanDocument, RepositoryPlanForm } from './RepositoryPlanForm.tsx'
import { reachOf } from './reach.ts'
import { sshDirectory } from './sshDirectory.ts'
import { newTrustPlanDocument, type PlanSurroundings, TrustPlanForm } from './TrustPlanForm.tsx'
import { YamlEditor } from './YamlEditor.tsx'

/** Kinds a person writes; plans of agents come from the agents. */
export const writableKinds = planKinds.filter((kind) => kind !== 'agent')
export type WritableKind = (typeof writableKinds)[number]

interface PlanEditorProps {
  /** The plan that is changed; null for a new one. */
  readonly plan: Exclude<Plan, { kind: 'agent' }> | null
  readonly kind: WritableKind
  /** Whose commits a new plan delivers, where the way here began at a repository. */
  readonly repository?: string
}

function firstText({ plan, kind, repository = '' }: PlanEditorProps, surroundings: PlanSurroundings): string {
  if (plan !== null) return formatPlanDocument([plan])
  if (kind === 'repository') return newRepositoryPlanDocument(repository, surroundings.names)
  return kind === 'tree' ? newPlanDocument : newTrustPlanDocument(kind, surroundings)
}

/** Writes plans; what applying would do stands beside the text, before anything is done. */
export function PlanEditor(props: PlanEditorProps) {
  const { plan, kind } = props
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  const [surroundings] = useState<PlanSurroundings>(() => ({
    directory: sshDirectory(nodes.values()).directory,
    names: new Set([...plans.values()].map(({ name }) => name)),
  }))
  const [text, setText] = useState(() => firstText(props, surroundings))
  const [base, setBase] = useState(text)
  const [deciding, setDeciding] = useState(false)
  const problemsId = useId()
  const parsed = useMemo(() => parsePlanDocument(text), [text])
  const { effects, problems } = useEffects(parsed.plans, parsed.problems)
  const clashes = useClashes(parsed.plans)
  const changing = effects.filter((each) => each.effect !== 'unchanged')
  const movedOn = plan !== null && formatPlanDocument([plan]) !== base
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title={
          <>
            <a className="text-faint hover:text-text" href={formatHash({ view: 'plans' })}>
              Plans
            </a>
            <span className="text-faint">/</span>
            {plan?.name ?? 'New plan'}
          </>
        }
        summary={plan !== null && <span>revision {plan.revision}</span>}
        actions={
          <div className="flex gap-2">
            {plan !== null && <RemovePlan plan={plan} />}
            <Button
              variant="primary"
              disabled={problems.length > 0 || changing.length === 0}
              onClick={() => setDeciding(true)}
            >
              Apply…
            </Button>
          </div>
        }
      />
      {movedOn && plan !== null && (
        <ChangedMeanwhile
          revision={plan.revision}
          onLoad={() => {
            setText(formatPlanDocument([plan]))
            setBase(formatPlanDocument([plan]))
          }}
        />
      )}
      <div className="flex min-h-0 flex-1">
        <div className="flex min-w-0 flex-1 flex-col">
          {plan === null && <KindChoice kind={kind} />}
          <div className="min-h-0 flex-1">
            {plan === null && kind === 'repository' ? (
              <RepositoryPlanForm
                repository={props.repository ?? ''}
                names={surroundings.names}
                problems={problems}
                onChange={setText}
              />
            ) : plan === null && kind !== 'tree' && kind !== 'repository' ? (
              <TrustPlanForm kind={kind} surroundings={surroundings} problems={problems} onChange={setText} />
            ) : (
              <YamlEditor text={text} problems={problems} onChange={setText} describedBy={problemsId} />
            )}
          </div>
        </div>
        <aside
          aria-label="What applying would do"
          className="flex w-[360px] shrink-0 flex-col gap-5 overflow-auto border-l bg-surface p-4"
        >
          <Problems id={problemsId} problems={problems} empty={parsed.plans.length === 0} />
          {effects.map((each, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two plans may have the same name while one types
            <EffectCard key={index} item={each} />
          ))}
          <Clashes clashes={clashes} />
          <section aria-label="Command line" className="flex flex-col gap-1.5">
            <h2 className="text-12 font-semibold text-faint">On the command line</h2>
            <CliEquivalent command="lockstep plans apply -f plans.yaml" />
          </section>
        </aside>
      </div>
      {deciding && (
        <ApplyDialog plans={parsed.plans} effects={effects} clashes={clashes} onClose={() => setDeciding(false)} />
      )}
    </div>
  )
}

/** What the new plan delivers; choosing another starts another draft. */
function KindChoice({ kind }: { readonly kind: WritableKind }) {
  return (
    <fieldset aria-label="What it delivers" className="flex shrink-0 flex-wrap gap-1 border-b px-4 py-2">
      {writableKinds.map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={each === kind}
          onClick={() => updateQuery({ kind: each === 'tree' ? undefined : each }, { replace: true })}
          className={classNames(
            'h-7 rounded-md px-2 text-muted hover:bg-hover hover:text-text',
            each === kind && 'bg-selection text-text',
          )}
        >
          {kindWords[each]}
        </button>
      ))}
    </fieldset>
  )
}

interface EffectItem {
  readonly input: PlanInput
  readonly effect: PlanEffect
  readonly nodeCount: number
  readonly total: number
  readonly names: readonly string[]
}

function useEffects(
  plans: readonly PlanInput[],
  syntax: readonly PlanProblem[],
): { readonly effects: readonly EffectItem[]; readonly problems: readonly PlanProblem[] } {
  const nodes = useReplica((state) => state.nodes)
  const existing = useReplica((state) => state.plans)
  const now = useNow(10_000)
  return useMemo(() => {
    const byName = new Map([...existing.values()].map((plan) => [plan.name, plan]))
    const problems: PlanProblem[] = [...syntax]
    const effects = plans.map((input) => {
      const reach = reachOf(input.selector, nodes.values(), now)
      if (!reach.ok) problems.push({ line: null, where: `${input.name}, selector`, message: reach.message })
      const reached = reach.ok ? reach.nodes : []
      return {
        input,
        effect: effectOf(input, byName.get(input.name)),
        nodeCount: reached.length,
        total: nodes.size,
        names: reached.slice(0, 12).map((node) => node.name),
      }
    })
    return { effects, problems }
  }, [plans, syntax, nodes, existing, now])
}

function Problems({
  id,
  problems,
  empty,
}: {
  readonly id: string
  readonly problems: readonly PlanProblem[]
  readonly empty: boolean
}) {
  if (problems.length === 0) {
    return (
      <p id={id} role="status" className="text-muted">
        {empty ? 'Write a plan on the left. Nothing is changed before you apply.' : 'The document can be applied.'}
      </p>
    )
  }
  return (
    <section id={id} role="status" aria-label="Mistakes in the document" className="flex flex-col gap-2">
      <h2 className="font-semibold text-error">{plural(problems.length, 'mistake')}</h2>
      <ul className="flex flex-col gap-2">
        {problems.map((problem) => (
          <li key={`${problem.line} ${problem.where} ${problem.message}`} className="break-words">
            {problem.line !== null && <span className="text-faint">line {problem.line} </span>}
            {problem.where !== '' && <code className="text-12">{problem.where}</code>}
            <span className="block">{problem.message}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

const effectWords: Readonly<Record<PlanEffect, string>> = { new: 'new', changed: 'changed', unchanged: 'unchanged' }
const effectClass: Readonly<Record<PlanEffect, string>> = {
  new: 'text-accent',
  changed: 'text-pending',
  unchanged: 'text-faint',
}

function EffectCard({ item }: { readonly item: EffectItem }) {
  const { input, effect, nodeCount, total, names } = item
  const warning = planWarning(input)
  return (
    <section aria-label={input.name} className="flex flex-col gap-1 rounded-md border p-3">
      <h2 className="flex items-baseline justify-between gap-2 font-semibold">
        <span className="truncate">{input.name}</span>
        <span className={`text-12 ${effectClass[effect]}`}>{effectWords[effect]}</span>
      </h2>
      <p>
        <a className="text-accent underline" href={filterHash(input.selector)}>
          {formatCount(nodeCount)} of {plural(total, 'node')}
        </a>
      </p>
      {nodeCount > 0 && (
        <p className="text-12 text-muted">
          {names.join(', ')}
          {nodeCount > names.length && ` and ${formatCount(nodeCount - names.length)} more`}
        </p>
      )}
      {nodeCount === 0 && <p className="text-12 text-pending">The selector means no node now.</p>}
      {planLines(input).map((line) => (
        <p key={line} className="text-12 break-all text-muted">
          {line}
        </p>
      ))}
      {warning !== null && <p className="text-12 text-pending">{warning}</p>}
    </section>
  )
}

function ChangedMeanwhile({ revision, onLoad }: { readonly revision: number; readonly onLoad: () => void }) {
  return (
    <div role="status" className="flex items-center gap-3 border-b border-pending bg-raised px-4 py-2">
      <span aria-hidden className="size-2 rotate-45 bg-pending" />
      This plan was changed meanwhile: it is at revision {revision} now. Applying this text replaces that.
      <Button size="small" onClick={onLoad}>
        Load revision {revision}
      </Button>
    </div>
  )
}

interface ApplyDialogProps {
  readonly plans: readonly PlanInput[]
  readonly effects: readonly EffectItem[]
  readonly clashes: readonly PlanClash[]
  readonly onClose: () => void
}

function ApplyDialog({ plans, effects, clashes, onClose }: ApplyDialogProps) {
  const { client } = useLink()
  const nodes = useReplica((state) => state.nodes)
  const apply = useMutation({
    mutationFn: () => client.plans.apply({ plans: [...plans] }),
    onSuccess: () => {
      onClose()
      navigate(formatHash({ view: 'plans' }))
    },
  })
  const changing = effects.filter((each) => each.effect !== 'unchanged')
  const reached = new Set(
    changing.flatMap(({ input }) => {
      const reach = reachOf(input.selector, nodes.values(), engineNowMs())
      return reach.ok ? reach.nodes.map((node) => node.id) : []
    }),
  )
  const count = (effect: PlanEffect): number => effects.filter((each) => each.effect === effect).length
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Apply ${plural(changing.length, 'plan')}?`}
      blastRadius={`${formatCount(reached.size)} of ${plural(nodes.size, 'node')}`}
      effect={`${formatCount(count('new'))} new, ${formatCount(count('changed'))} changed, ${formatCount(count('unchanged'))} unchanged. These nodes are pending until the new revision was delivered and read back; the next cycle delivers it, or a resync now.`}
      undo={
        count('changed') === 0
          ? 'Remove the plan again. What was delivered by then stays on the nodes.'
          : 'Apply the earlier text again: it becomes the newest revision.'
      }
      confirmLabel={`Apply ${plural(changing.length, 'plan')}`}
      busy={apply.isPending}
      onConfirm={() => apply.mutate()}
    >
      <Clashes clashes={clashes} />
      {apply.error !== null && <ErrorNote error={toErrorBody(apply.error)} />}
    </DecisionDialog>
  )
}
