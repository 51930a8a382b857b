import { AppError } from '../../shared/errors.ts'
import { runGit } from './git.ts'

const oldest = { major: 2, minor: 30 }

/** `git version 2.39.5 (Apple Git-154)`; null for anything else. */
export function parseGitVersion(line: string): { readonly major: number; readonly minor: number } | null {
  const match = /^git version (\d+)\.(\d+)/.exec(line)
  return match === null ? null : { major: Number(match[1]), minor: Number(match[2]) }
}

/** Why this version will not do; null when it will. */
export function tooOld(line: string): string | null {
  const version = parseGitVersion(line)
  const enough =
    version !== null &&
    (version.major > oldest.major || (version.major === oldest.major && version.minor >= oldest.minor))
  return enough ? null : `git ${oldest.major}.${oldest.minor} or newer is needed, and "${line.trim()}" was found`
}

/** @throws AppError PROGRAM_MISSING: no git on this machine, or one that is too old */
export async function assertGit(): Promise<void> {
  const { stdout } = await runGit({ args: ['version'], directory: '/', timeoutMs: 30_000 })
  const complaint = tooOld(stdout.toString('utf8'))
  if (complaint !== null)
    throw new AppError('PROGRAM_MISSING', `${complaint}: install a newer git on the machine of the engine`)
}
