import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../shared/errors.ts'

/** What the text of the unit names: programs, and whom it runs as. */
export interface UnitNames {
  readonly node: string
  readonly program: string
  readonly user: string
}

export const unitName = 'lockstep.service'
/** The name that operators of older set-ups know (S1.94). */
export const unitAlias = 'mynodeone-sync-controller.service'
/** systemd makes it, from `StateDirectory=` of the unit; it is the home of the engine and of its user. */
export const serviceHome = '/var/lib/lockstep'

/** systemd reads quotes, `%` and `$` in the command; a path with control characters is no path we would write down. */
function inUnit(value: string): string {
  if (/[\p{Cc}"\\]/u.test(value))
    throw new AppError('INVALID_INPUT', `${JSON.stringify(value)} cannot stand in a unit. Install Lockstep elsewhere.`)
  return value.replaceAll('%', '%%').replaceAll('$', '$$$$')
}

/** The unit in `resources/service`, with the names of this machine. @throws AppError INVALID_INPUT, NOT_FOUND */
export async function unitText({ node, program, user }: UnitNames): Promise<string> {
  const template = await readFile(templateFile(), 'utf8')
  return template
    .replace('@node@', () => inUnit(node))
    .replace('@program@', () => inUnit(program))
    .replace('@user@', () => inUnit(user))
}

/** `sysusers.d` line: a system user without a password, with a shell because operators forward its socket over SSH. */
export const sysusersText = (user: string): string =>
  `# The control plane's own user.\nu ${user} - "Lockstep control plane" ${serviceHome} /bin/sh\n`

/** Seen from the bundle, a chunk of it, and the sources. */
function templateFile(): string {
  const here = import.meta.dirname
  const places = ['../..', '../../..'].map((up) => join(here, up, 'resources', 'service', unitName))
  const found = places.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new AppError('NOT_FOUND', `The unit was not shipped: none of ${places.join(', ')} is there.`)
}
