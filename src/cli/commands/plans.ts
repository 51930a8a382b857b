import type { Command } from 'commander'
import { clashSentence, mayClash, planClashes } from '../../core/fleet/planClashes.ts'
import { formatPlanDocument } from '../../core/parse/planDocument.ts'
import type { EngineClient } from '../../shared/contract/index.ts'
import { AppError, assertNever } from '../../shared/errors.ts'
import type { Plan, PlanInput } from '../../shared/model/plan.ts'
import type { Runner } from '../context.ts'
import { readPlans } from '../input/plans.ts'
import { readText } from '../input/readText.ts'
import { printable, printableLine } from '../output/printable.ts'
import { refWords } from '../output/repositories.ts'
import { renderTable } from '../output/table.ts'
import { isoTime } from '../output/words.ts'

export function addPlanCommands(program: Command, run: Runner): void {
  const plans = program.command('plans').alias('plan').description('what is delivered, to which nodes')
  plans
    .command('apply [file]')
    .description('creates or changes the plans of a YAML file, all or none; - is standard input')
    .option('-f, --file <file>', 'the same as the argument')
    .action((argument: string | undefined, { file }: { readonly file?: string }) => run(apply(argument, file)))
  plans
    .command('list')
    .description('all plans')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.plans.list(), renderList)),
      ),
    )
  plans
    .command('show <plan>')
    .description('one plan, in the form that "plans apply" takes')
    .action((plan: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.plans.get({ plan }), renderPlan)),
      ),
    )
  plans
    .command('remove <plan>')
    .description('removes a plan; what was delivered stays on the nodes')
    .action((plan: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.plans.remove({ plan }), () => `Plan ${printableLine(plan)} is removed.\n`),
        ),
      ),
    )
}

function apply(argument: string | undefined, file: string | undefined): Parameters<Runner>[0] {
  return async ({ withEngine, output }) => {
    const path = argument ?? file
    if (path === undefined || (argument !== undefined && file !== undefined)) {
      throw new AppError('INVALID_INPUT', 'Name one file: lockstep plans apply plans.yaml (- for standard input).')
    }
    const plans = readPlans(await readText(path, 'The plan file'), path === '-' ? 'Standard input' : path)
    await withEngine({}, async (client) => {
      const before = new Map((await client.plans.list()).map((plan) => [plan.id, plan.revision]))
      output.value(await client.plans.apply({ plans }), (applied) =>
        applied.map((plan) => renderEffect(plan, before.get(plan.id))).join(''),
      )
      for (const warning of await clashWarnings(client, plans)) output.note(warning)
    })
  }
}

/** Nodes are asked for only when plans may stand in each other's way. */
async function clashWarnings(client: EngineClient, applied: readonly PlanInput[]): Promise<string[]> {
  const plans = await client.plans.list()
  if (!mayClash(applied, plans)) return []
  const clashes = planClashes(applied, plans, await client.nodes.list({ filter: '' }))
  return clashes.map((clash) => `Warning: ${printableLine(clashSentence(clash))}`)
}

function renderEffect(plan: Plan, revisionBefore: number | undefined): string {
  const name = printableLine(plan.name)
  if (revisionBefore === undefined) return `${name}: created, revision ${plan.revision}\n`
  if (revisionBefore === plan.revision) return `${name}: unchanged, revision ${plan.revision}\n`
  return `${name}: changed, revision ${revisionBefore} -> ${plan.revision}\n`
}

function renderList(plans: readonly Plan[]): string {
  if (plans.length === 0) return 'There is no plan. Write one and give it to: lockstep plans apply plans.yaml\n'
  return renderTable(
    ['PLAN', 'REVISION', 'SELECTOR', 'DELIVERS'],
    plans.map((plan) => [
      plan.name,
      String(plan.revision),
      plan.selector === '' ? '*' : plan.selector,
      deliveryOf(plan),
    ]),
  )
}

function deliveryOf(plan: Plan): string {
  switch (plan.kind) {
    case 'tree':
      return [legOf('push', plan.spec.push), legOf('pull', plan.spec.pull)].filter((leg) => leg !== '').join(', ')
    case 'agent':
      return [
        ...plan.spec.push.map((leg) => legOf('push', leg)),
        ...plan.spec.pull.map((leg) => legOf('pull', leg)),
      ].join(', ')
    case 'krl':
      return `revocation list -> ${plan.spec.file}`
    case 'trust':
      return `trusted user authorities -> ${plan.spec.file}`
    case 'host-certificate':
      return `host certificate -> ${plan.spec.certificateFile}`
    case 'routes':
      return `routes of public services -> ${plan.spec.file}`
    case 'hosts':
      return `hosts entries of all services -> ${plan.spec.file}`
    case 'repository':
      return `${refWords(plan.spec.ref)} of ${plan.spec.repository} -> ${plan.spec.target}`
    default:
      return assertNever(plan)
  }
}

const legOf = (direction: string, leg: { readonly source: string; readonly target: string } | null): string =>
  leg === null ? '' : `${direction} ${leg.source} -> ${leg.target}`

const renderPlan = (plan: Plan): string =>
  `# revision ${plan.revision} of ${isoTime(plan.updatedAt)}, digest ${plan.digest}\n${printable(formatPlanDocument([plan]))}`
