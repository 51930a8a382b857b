import { useMutation, useQuery } from '@tanstack/react-query'
import type { PlanId } from '../../../shared/model/ids.ts'
import type { Run } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount } from '../../components/format.ts'
import { useReplica, useRevision, useStale } from '../../stores/ReplicaContext.tsx'
import { repositoryHash } from '../../stores/route.ts'
import { Evidence } from './Evidence.tsx'

const shownFindings = 8

/** Of the repository that a plan delivers: null where the plan is gone. */
export const useRepositoryOfPlan = (planId: PlanId | null): string | null =>
  useReplica((state) => {
    const plan = planId === null ? undefined : state.plans.get(planId)
    return plan?.kind === 'repository' ? plan.spec.repository : null
  })

/**
 * Where a commit looks as if it held secrets, and the way to the decision: the run goes on when every finding is allowed or
 * gone. Going on skips nothing; the run looks again.
 */
export function SecretsFound({ run }: { readonly run: Run }) {
  const { client } = useLink()
  const stale = useStale()
  const repository = useRepositoryOfPlan(run.planId)
  const revision = useRevision('repositories')
  const report = useQuery({
    queryKey: ['findings of a halted run', repository, revision],
    queryFn: () => client.repositories.findings({ repository: repository ?? '' }),
    enabled: repository !== null,
  })
  const goOn = useMutation({ mutationFn: () => client.runs.approve({ runId: run.id, reason: 'secrets-found' }) })
  const open = (report.data?.findings ?? []).filter(({ allowed }) => !allowed)
  if (repository === null) return <Evidence lines={run.halt?.diagnosis.evidence ?? []} />
  return (
    <div className="flex flex-col gap-3">
      {open.length === 0 && report.data != null ? (
        <p>Nothing is open any more in the newest scan. The run looks again when it goes on.</p>
      ) : open.length === 0 ? (
        <Evidence lines={run.halt?.diagnosis.evidence ?? []} />
      ) : (
        <table className="w-full max-w-3xl border-collapse text-left" aria-label="Open findings">
          <thead className="text-12 text-faint">
            <tr>
              <th className="pr-4 font-normal">Rule</th>
              <th className="pr-4 font-normal">File and line</th>
              <th className="font-normal">What it looks like</th>
            </tr>
          </thead>
          <tbody>
            {open.slice(0, shownFindings).map(({ hash, rule, file, line, message }) => (
              <tr key={hash} className="border-t align-baseline">
                <td className="pr-4">
                  <code className="text-12">{rule}</code>
                </td>
                <td className="pr-4">
                  <code className="text-12 break-all">
                    {file}:{line}
                  </code>
                </td>
                <td className="text-muted">{message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {open.length > shownFindings && (
        <p className="text-muted">and {formatCount(open.length - shownFindings)} more.</p>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <a
          className="inline-flex h-8 items-center rounded-md bg-accent px-3 font-medium text-on-accent hover:brightness-110"
          href={repositoryHash(repository, 'findings')}
        >
          See the findings of {repository}
        </a>
        <Button disabled={stale} busy={goOn.isPending} onClick={() => goOn.mutate()}>
          Look again and go on
        </Button>
      </div>
      <p className="max-w-2xl text-12 text-muted">
        Going on skips nothing: while one finding is open, the run is held back again. Take the secret out and commit,
        or allow the finding with a reason.
      </p>
      {goOn.error !== null && <ErrorNote error={toErrorBody(goOn.error)} />}
      <CliEquivalent command={`lockstep runs approve ${run.id} --reason secrets-found`} />
    </div>
  )
}
