import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { renderFacts } from '../output/table.ts'
import {
  assertInstallable,
  assertVisible,
  carryOut,
  installSteps,
  type ServicePlace,
  type ServiceStatus,
  type ServiceStep,
  serviceStatus,
  uninstallSteps,
} from '../service/installation.ts'
import { serviceHome, type UnitNames, unitName, unitText } from '../service/unit.ts'

interface ServiceOptions {
  readonly user?: string
  readonly root?: string
  readonly dryRun?: boolean
}

/** S1.11, S1.94: the daemon as a service of the system. */
export function addServiceCommands(program: Command, run: Runner): void {
  const service = program.command('service').description('the daemon as a systemd service of this machine')
  const add = (
    name: string,
    description: string,
    work: (context: CliContext, o: ServiceOptions) => Promise<ExitCode>,
  ) =>
    service
      .command(name)
      .description(description)
      .option('--user <user>', 'whom the service runs as', systemUser, 'lockstep')
      .option('--root <dir>', 'of another system, e.g. an image; default: this one')
      .option('--dry-run', 'show what would be done, and do nothing')
      .action((options: ServiceOptions) => run((context) => work(context, options)))
  add('install', 'writes the unit and its user, enables and starts it', install)
  add('uninstall', 'stops and removes the service; its home and user stay', uninstall)
  add('status', 'whether it is installed, enabled and active', status)
  add('print-unit', 'the unit as it would be written', printUnit)
}

function systemUser(text: string): string {
  if (/^[a-z_][a-z0-9_-]{0,30}$/.test(text)) return text
  throw new InvalidArgumentError('Use the name of a system user: small letters, digits, - and _.')
}

const placeOf = ({ root }: ServiceOptions): ServicePlace => ({ root: root === undefined ? null : resolve(root) })

const namesOf = ({ user = 'lockstep' }: ServiceOptions): UnitNames => ({
  node: process.execPath,
  program: realpathSync(process.argv[1] ?? ''),
  user,
})

async function install(context: CliContext, options: ServiceOptions): Promise<ExitCode> {
  const [place, names] = [placeOf(options), namesOf(options)]
  const steps = await installSteps(place, names)
  if (!options.dryRun) {
    assertInstallable(place)
    // In an image the paths are those of the other system.
    if (place.root === null) assertVisible(names)
  }
  return finish(context, {
    steps,
    isDryRun: options.dryRun ?? false,
    done: `${unitName} is installed; its home is ${serviceHome}.`,
  })
}

async function uninstall(context: CliContext, options: ServiceOptions): Promise<ExitCode> {
  const place = placeOf(options)
  if (!options.dryRun) assertInstallable(place)
  const done = `${unitName} is removed. ${serviceHome} and its user are left as they are.`
  return finish(context, { steps: uninstallSteps(place), isDryRun: options.dryRun ?? false, done })
}

async function finish(
  { output }: CliContext,
  {
    steps,
    isDryRun,
    done,
  }: { readonly steps: readonly ServiceStep[]; readonly isDryRun: boolean; readonly done: string },
): Promise<ExitCode> {
  if (!isDryRun) await carryOut(steps)
  output.value({ dryRun: isDryRun, steps }, () => (isDryRun ? steps.map(stepWords).join('') : `${done}\n`))
  return exitCodes.ok
}

function stepWords(step: ServiceStep): string {
  if (step.kind === 'write') return `write ${step.path}\n${step.content.replace(/^(?=.)/gm, '  | ')}`
  if (step.kind === 'remove') return `remove ${step.path}\n`
  return `run ${step.command} ${step.args.join(' ')}\n`
}

async function status({ output }: CliContext, options: ServiceOptions): Promise<ExitCode> {
  const found = await serviceStatus(placeOf(options), namesOf(options))
  output.value(found, render)
  const isWell = found.unit === 'installed' && found.enabled && found.active !== 'failed' && found.active !== 'inactive'
  return isWell ? exitCodes.ok : exitCodes.failed
}

const render = ({ unit, path, alias, enabled, active }: ServiceStatus): string =>
  renderFacts([
    ['unit', `${unit}: ${path}`],
    ['alias', alias],
    ['enabled', enabled ? 'yes' : 'no'],
    ['active', active],
  ])

async function printUnit({ output }: CliContext, options: ServiceOptions): Promise<ExitCode> {
  const text = await unitText(namesOf(options))
  output.value({ name: unitName, unit: text }, () => text)
  return exitCodes.ok
}
