import type { CommitHash } from '../../../shared/model/repository.ts'
import { classNames } from '../../components/classNames.ts'
import { shortHash } from './repositoryWords.ts'

interface CommitNameProps {
  readonly commit: CommitHash
  readonly subject?: string | undefined
  readonly className?: string
}

/** The digits that tell it apart, and what its author called it. */
export function CommitName({ commit, subject, className }: CommitNameProps) {
  return (
    <span className={classNames('inline-flex min-w-0 max-w-full items-baseline gap-2', className)} title={commit}>
      <code className="shrink-0 text-12">{shortHash(commit)}</code>
      {subject !== undefined && <span className="min-w-0 truncate text-muted">{subject}</span>}
    </span>
  )
}
