import { useState } from 'react'
import { commitBefore } from '../../../../core/repository/rollback.ts'
import type { EngineClient } from '../../../../shared/contract/index.ts'
import type { CommitHash, Repository, RepositoryTarget } from '../../../../shared/model/repository.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { newIdempotencyKey } from '../../../api/randomKey.ts'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { refWords } from '../../plans/planWords.ts'
import type { Begun } from '../begun.ts'
import { NodeNames } from '../NodeNames.tsx'
import { cli, shortHash } from '../repositoryWords.ts'
import { FromTo } from './FromTo.tsx'
import { PlanChoice } from './PlanChoice.tsx'
import { usePlanQuestion } from './usePlanQuestion.ts'

interface RollbackDialogProps {
  readonly repository: Repository
  readonly onClose: () => void
  readonly onBegun: (begun: Begun) => void
}

type RolledBack = Awaited<ReturnType<EngineClient['repositories']['rollback']>>

/** Back to the commit that most nodes of a plan had before this one. */
export function RollbackDialog({ repository, onClose, onBegun }: RollbackDialogProps) {
  const { client } = useLink()
  const [key] = useState(newIdempotencyKey)
  const call = useCall<RolledBack>()
  const { plans, plan, setPlanId, targets, names, known } = usePlanQuestion(repository)
  if (plan === undefined) return null
  const to = previousOf(targets)
  const confirm = async (): Promise<void> => {
    const answer = await call.run(() => client.repositories.rollback({ idempotencyKey: key, plan: plan.id }))
    if (answer === null) return
    onBegun({
      batchId: answer.batchId,
      runs: answer.runs.length,
      words: `${plan.name} goes back to ${shortHash(answer.commit)}`,
    })
    onClose()
  }
  return (
    <DecisionDialog
      open
      wide
      danger
      onClose={onClose}
      title={to === null ? `Roll ${plan.name} back?` : `Roll ${plan.name} back to ${shortHash(to)}?`}
      blastRadius={<NodeNames nodes={names} plans={1} runs={targets.length} />}
      effect={
        to === null
          ? 'Nothing: none of its nodes had another commit before, as far as is known.'
          : `${plan.name} is pinned to the commit that most of its nodes had before this one. It follows no branch until somebody deploys one. The commit is scanned, sent and read back.`
      }
      undo={`Deploy ${refWords(plan.spec.ref)} again.`}
      confirmLabel="Roll back"
      busy={call.busy}
      incomplete={to === null}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <PlanChoice plans={plans} value={plan.id} onChange={setPlanId} />
      {to !== null && <FromTo targets={targets} to={to} known={known} />}
      <CliEquivalent command={cli.rollback(plan.name)} />
    </DecisionDialog>
  )
}

/** As the engine finds it. */
const previousOf = (targets: readonly RepositoryTarget[]): CommitHash | null =>
  commitBefore(
    targets.map(({ observed, previous, verifiedAt }) =>
      observed === null
        ? null
        : { commit: observed, verifiedAt: verifiedAt ?? 0, ...(previous === null ? {} : { previousCommit: previous }) },
    ),
    targets[0]?.desired ?? null,
  )
