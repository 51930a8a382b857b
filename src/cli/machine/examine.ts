import { hostname } from 'node:os'
import { toAppError } from '../../shared/errors.ts'
import type { Diagnosis, DoctorReport, DoctorStep } from '../../shared/model/diagnosis.ts'
import type { CliContext } from '../context.ts'
import { type CheckResult, databaseCheck, homeCheck, ownerCheck, vaultCheck } from './homeChecks.ts'
import { nodeCheck, rsyncCheck, sshCheck, sshdCheck } from './programChecks.ts'

type Check = readonly [string, (context: CliContext) => Promise<CheckResult>]

const checks: readonly Check[] = [
  ['node', nodeCheck],
  ['ssh', sshCheck],
  ['rsync', rsyncCheck],
  ['sshd', sshdCheck],
  ['home', homeCheck],
  ['owner', ownerCheck],
  ['key vault', vaultCheck],
  ['database', databaseCheck],
]

/** Read-only checks of this machine and of the home; the first that failed is the cause. */
export async function examineMachine(context: CliContext): Promise<DoctorReport> {
  const steps: DoctorStep[] = []
  let diagnosis: Diagnosis | null = null
  for (const [name, check] of checks) {
    const beganMs = performance.now()
    const result = await check(context).catch(
      (thrown: unknown): CheckResult => ({
        status: 'failed',
        code: toAppError(thrown).code,
        detail: toAppError(thrown).message,
      }),
    )
    steps.push({
      name,
      status: result.status,
      detail: result.detail,
      evidence: [...(result.evidence ?? [])],
      durationMs: performance.now() - beganMs,
    })
    if (result.status === 'failed') diagnosis ??= causeOf(name, result)
  }
  return { nodeName: hostname(), steps, diagnosis }
}

const causeOf = (name: string, { code, detail, evidence = [] }: CheckResult): Diagnosis => ({
  code: code ?? 'INTERNAL',
  sentence: detail,
  short: `${name} not usable`,
  evidence: [...evidence],
  nextAction: { kind: 'none', label: 'see the sentence above' },
  transient: false,
})
