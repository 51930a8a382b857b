import { explainGit, filesInTheWay, type GitQuestion } from '../../../core/parse/git.ts'
import type { GitResult } from '../../../platform/git/git.ts'
import { AppError } from '../../../shared/errors.ts'

const tryAgainMs = 30_000

/** What a call of git that ended badly means, as an error of the port. */
export function gitError(result: Pick<GitResult, 'exitCode' | 'stderr'>, question: GitQuestion): AppError {
  const { code, message, transient, line } = explainGit(result.stderr, result.exitCode, question)
  const files = code === 'REPOSITORY_DIVERGED' ? filesInTheWay(result.stderr) : []
  return new AppError(code, files.length === 0 ? message : `${message} In the way: ${shortList(files)}.`, {
    data: { place: question.place, exitCode: result.exitCode, line, ...(files.length === 0 ? {} : { files }) },
    ...(transient ? { retry: { kind: 'after', delayMs: tryAgainMs } } : {}),
  })
}

/** The first few names of many. */
export function shortList(names: readonly string[], most = 5): string {
  const more = names.length - most
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ')
}

export const canceled = (signal: AbortSignal): AppError =>
  new AppError('CANCELED', 'the work on the repository was canceled', { cause: signal.reason })
