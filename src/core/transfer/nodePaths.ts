import { overlaps } from './paths.ts'

/*
 * Places on a node that are spelled in two ways: below the home directory of the login user (`~/x`), and absolute
 * (`/home/sync/x`). Before a run has looked at a node nobody knows where that home is, so the usual places of it count:
 * two places that may be one are taken for one, which costs a run a wait and never its data. A home elsewhere, and links,
 * are not seen here.
 */

const isBelowHome = (path: string): boolean => path === '~' || path.startsWith('~/')

const usualHomes = (user: string): readonly string[] =>
  user === 'root' ? ['/root', '/var/root'] : [`/home/${user}`, `/Users/${user}`]

/** Of one path below the home directory and one that is not, only the login user of a node can tell. */
export const mayOverlap = (left: string, right: string): boolean =>
  isBelowHome(left) === isBelowHome(right) ? overlaps(left, right) : true

/**
 * May the two be the same place for a login as this user, or one inside the other?
 *
 * @param left normalised, as is `right`
 */
export function overlapsFor(user: string, left: string, right: string): boolean {
  if (isBelowHome(left) === isBelowHome(right)) return overlaps(left, right)
  const [below, absolute] = isBelowHome(left) ? [left, right] : [right, left]
  return usualHomes(user).some((home) => overlaps(`${home}${below.slice(1)}`, absolute))
}
