import { useState } from 'react'
import type { EngineClient } from '../../../../shared/contract/index.ts'
import type { Commit, Repository, WantedRef } from '../../../../shared/model/repository.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { newIdempotencyKey } from '../../../api/randomKey.ts'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { refWords } from '../../plans/planWords.ts'
import type { Begun } from '../begun.ts'
import { NodeNames } from '../NodeNames.tsx'
import { cli, headWords, refOfHead, shortHash } from '../repositoryWords.ts'
import { FromTo } from './FromTo.tsx'
import { PlanChoice } from './PlanChoice.tsx'
import { usePlanQuestion } from './usePlanQuestion.ts'

interface DeployDialogProps {
  readonly repository: Repository
  readonly commit: Commit
  readonly onClose: () => void
  readonly onBegun: (begun: Begun) => void
}

type Deployed = Awaited<ReturnType<EngineClient['repositories']['deploy']>>

/** Makes one plan want this commit, and brings it. */
export function DeployDialog({ repository, commit, onClose, onBegun }: DeployDialogProps) {
  const { client } = useLink()
  const [key] = useState(newIdempotencyKey)
  const call = useCall<Deployed>()
  const { plans, plan, setPlanId, targets, names, known } = usePlanQuestion(repository)
  const wishes = wishesFor(commit, repository.settings.defaultBranch)
  const [wish, setWish] = useState(0)
  const ref = wishes[wish]?.ref ?? { kind: 'commit', commit: commit.commit }
  if (plan === undefined) return null
  const confirm = async (): Promise<void> => {
    const answer = await call.run(() => client.repositories.deploy({ idempotencyKey: key, plan: plan.id, ref }))
    if (answer === null) return
    onBegun({ batchId: answer.batchId, runs: answer.runs.length, words: `${plan.name}: ${shortHash(commit.commit)}` })
    onClose()
  }
  return (
    <DecisionDialog
      open
      wide
      onClose={onClose}
      title={`Deploy ${shortHash(commit.commit)} with ${plan.name}?`}
      blastRadius={<NodeNames nodes={names} plans={1} runs={targets.length} />}
      effect={
        ref.kind === 'commit'
          ? `${plan.name} wants this commit from now on, whatever is committed later, until somebody says otherwise. The commit is scanned, sent and read back.`
          : `${plan.name} follows ${refWords(ref)}, which ends here now: later commits go out by themselves. This one is scanned, sent and read back.`
      }
      undo={`Roll back, or deploy ${refWords(plan.spec.ref)} again.`}
      confirmLabel="Deploy it"
      busy={call.busy}
      incomplete={targets.length === 0}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <PlanChoice plans={plans} value={plan.id} onChange={setPlanId} />
      {wishes.length > 1 && (
        <fieldset className="flex flex-col gap-1">
          <legend className="mb-1 text-12 text-muted">What the plan wants from now on</legend>
          {wishes.map(({ words }, index) => (
            <label key={words} className="flex items-center gap-2">
              <input
                type="radio"
                name="what the plan wants"
                className="accent-accent"
                checked={wish === index}
                onChange={() => setWish(index)}
              />
              {words}
            </label>
          ))}
        </fieldset>
      )}
      <FromTo targets={targets} to={commit.commit} known={new Map([...known, [commit.commit, commit]])} />
      <CliEquivalent command={cli.deploy(plan.name, ref)} />
    </DecisionDialog>
  )
}

/**
 * A commit where a branch ends is mostly wanted as that branch: whoever rolled back wants to follow it again. A tag does not
 * move, so it comes after the commit itself.
 */
function wishesFor(
  { commit, refs }: Commit,
  defaultBranch: string,
): readonly { readonly words: string; readonly ref: WantedRef }[] {
  const named = refs.map((name) => ({
    words: `${headWords(name)}, and what comes after it there`,
    ref: name === defaultBranch ? ({ kind: 'branch', name: null } as const) : refOfHead(name),
  }))
  return [
    ...named.filter(({ ref }) => ref.kind === 'branch'),
    { words: 'this commit, whatever comes after it', ref: { kind: 'commit', commit } },
    ...named.filter(({ ref }) => ref.kind === 'tag'),
  ]
}
