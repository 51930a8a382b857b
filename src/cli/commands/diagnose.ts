import type { Command } from 'commander'
import { AppError } from '../../shared/errors.ts'
import { GuideName, type GuideReport, type GuideStep } from '../../shared/model/guide.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { printableLine } from '../output/printable.ts'
import { bad, faint, good, type Paint, waiting } from '../output/style.ts'
import { renderTable } from '../output/table.ts'

interface DiagnoseOptions {
  readonly fix?: true
  readonly yes?: true
}

/** S1.105-107: the guides, run here. */
export function addDiagnoseCommand(program: Command, run: Runner): void {
  program
    .command('diagnose <guide> [node]')
    .description(
      `goes through what may be wrong, read-only, and offers one fix; guides: ${GuideName.options.join(', ')}`,
    )
    .option('--fix', 'do what is offered, after it was shown and confirmed')
    .option('--yes', 'with --fix: do not ask')
    .action((guide: string, node: string | undefined, options: DiagnoseOptions) =>
      run((context) => diagnose(context, { guide, node, options })),
    )
}

interface Request {
  readonly guide: string
  readonly node: string | undefined
  readonly options: DiagnoseOptions
}

async function diagnose(context: CliContext, { guide: named, node, options }: Request): Promise<ExitCode> {
  const guide = GuideName.safeParse(named)
  if (!guide.success)
    throw new AppError('INVALID_INPUT', `There is no guide "${named}". There are: ${GuideName.options.join(', ')}.`)
  return context.withEngine({}, async (client) => {
    const report = await client.guides.examine({ guide: guide.data, ...(node === undefined ? {} : { node }) })
    context.output.value(report, render)
    if (report.diagnosis === null) return exitCodes.ok
    if (options.fix !== true || report.offer === null) return exitCodes.failed
    if (options.yes !== true && (await context.confirm?.(`${report.offer.label}?`)) !== true) return exitCodes.failed
    const { done } = await client.guides.fix({ fix: report.offer.fix })
    context.output.note(done)
    return exitCodes.ok
  })
}

const paints: Record<GuideStep['status'], Paint> = { ok: good, warning: waiting, failed: bad, skipped: faint }

function render({ nodeName, steps, diagnosis, offer }: GuideReport): string {
  const table = renderTable(
    ['QUESTION', 'RESULT', 'ANSWER'],
    steps.map(({ question, status, answer }) => [question, { text: status, paint: paints[status] }, answer]),
  )
  const evidence = steps
    .filter(({ status }) => status === 'failed' || status === 'warning')
    .flatMap(({ evidence: lines, byHand }) => [
      ...lines.map((line) => `  ${printableLine(line)}\n`),
      ...(byHand === null ? [] : [faint(`  by hand: ${printableLine(byHand)}`), '\n']),
    ])
    .join('')
  const head = nodeName === null ? '' : `${printableLine(nodeName)}\n`
  if (diagnosis === null) return `${head}${table}${evidence}${good('Nothing is wrong.')}\n`
  return `${head}${table}${evidence}${bad(printableLine(diagnosis.sentence))}\n${offer === null ? '' : renderOffer(offer)}`
}

function renderOffer({ fix, label, preview }: NonNullable<GuideReport['offer']>): string {
  const command = fix.kind === 'by-hand' && fix.command !== '' ? [fix.command] : []
  return [`Next: ${label}`, ...preview.map((line) => `  ${line}`), ...command.map((line) => `  ${line}`)]
    .map((line) => `${printableLine(line)}\n`)
    .join('')
}
