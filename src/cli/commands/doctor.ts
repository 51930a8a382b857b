import type { Command } from 'commander'
import type { DoctorReport, DoctorStep } from '../../shared/model/diagnosis.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { examineMachine } from '../machine/examine.ts'
import { printableLine } from '../output/printable.ts'
import { bad, faint, good, type Paint, waiting } from '../output/style.ts'
import { renderTable } from '../output/table.ts'

export function addDoctorCommand(program: Command, run: Runner): void {
  program
    .command('doctor [node]')
    .description('looks, changes nothing, and ends in one cause: for a node, or for this machine')
    .action((node: string | undefined) => run((context) => doctor(context, node)))
}

async function doctor(context: CliContext, node: string | undefined): Promise<ExitCode> {
  const report =
    node === undefined
      ? await examineMachine(context)
      : await context.withEngine({}, (client) => client.nodes.doctor({ node }))
  context.output.value(report, render)
  return report.diagnosis === null ? exitCodes.ok : exitCodes.failed
}

const paints: Record<DoctorStep['status'], Paint> = { ok: good, warning: waiting, failed: bad, skipped: faint }

function render({ nodeName, steps, diagnosis }: DoctorReport): string {
  const table = renderTable(
    ['CHECK', 'RESULT', 'DETAIL'],
    steps.map(({ name, status, detail }) => [name, { text: status, paint: paints[status] }, detail]),
  )
  const evidence = steps
    .filter(({ status }) => status === 'failed' || status === 'warning')
    .flatMap((step) => step.evidence.map((line) => `  ${printableLine(line)}\n`))
    .join('')
  if (diagnosis === null) return `${printableLine(nodeName)}\n${table}${evidence}${good('Nothing is wrong.')}\n`
  const next = diagnosis.nextAction.kind === 'none' ? '' : `Next: ${printableLine(diagnosis.nextAction.label)}\n`
  return `${printableLine(nodeName)}\n${table}${evidence}${bad(printableLine(diagnosis.sentence))}\n${next}`
}
