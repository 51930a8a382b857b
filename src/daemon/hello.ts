import { hostname, userInfo } from 'node:os'
import { z } from 'zod'

/** What a control plane says of itself on its socket before anything is asked of its engine. */
export const Hello = z.object({
  program: z.literal('lockstep'),
  version: z.string(),
  /** Its home directory, as it is called there. */
  home: z.string(),
  /** `user@host` it runs as. */
  runsAs: z.string(),
})
export type Hello = z.infer<typeof Hello>

export const helloPath = '/hello'

export const helloOf = ({ version, home }: { readonly version: string; readonly home: string }): Hello => ({
  program: 'lockstep',
  version,
  home,
  runsAs: `${userInfo().username}@${hostname()}`,
})

/** Releases that differ in the last number only speak the same contract; before 1.0 the second one may break it. */
export function speakTheSame(ours: string, theirs: string): boolean {
  const parts = (version: string): string => version.split('.').slice(0, 2).join('.')
  return parts(ours) === parts(theirs)
}
