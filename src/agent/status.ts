import { describeHolder, type FoundLock, reportedLock } from '../core/agent/lock.ts'
import { readJson } from '../platform/atomicFile.ts'
import type { AgentLock } from '../shared/model/agent.ts'
import type { RunState, RunStatus } from '../shared/model/run.ts'
import { findConfigDirectory, loadSetup } from './config.ts'
import { EnrollmentFile } from './control/enrollment.ts'
import { readSshPublicKey } from './enroll/sshKey.ts'
import { holderFacts, lockSelf, readLock } from './lockFile.ts'
import { readCertificate } from './run/certificate.ts'
import { knownRuns } from './run/journal.ts'
import { spooledReports } from './run/spool.ts'
import { agentVersion } from './version.ts'

/** What this agent knows of itself, without asking anybody. */
export interface AgentStatus {
  readonly version: string
  readonly configFile: string
  readonly enrolled: { readonly url: string; readonly nodeName: string } | null
  readonly lockFile: string
  readonly lock: AgentLock | null
  readonly runs: readonly {
    readonly key: string
    readonly runId: string | null
    readonly status: RunStatus
    readonly state: RunState
    readonly sentence: string | null
  }[]
  readonly certificate: { readonly serial: string; readonly validBefore: string } | null
  readonly spooledReports: number
}

/** @throws AppError what is wrong with the configuration */
export async function readStatus(configDirectory: string | undefined): Promise<AgentStatus> {
  const setup = await loadSetup(findConfigDirectory(configDirectory))
  const { layout, config, state } = setup
  const enrollment = await readJson(layout.enrollment, EnrollmentFile)
  const found = await readLock(config.lock_file)
  const publicKey = await readSshPublicKey(layout).catch(() => null)
  const certificate = publicKey === null ? null : await readCertificate(layout.certificate, publicKey)
  return {
    version: agentVersion,
    configFile: layout.configFile,
    enrolled: enrollment === undefined ? null : { url: enrollment.url, nodeName: enrollment.nodeName },
    lockFile: config.lock_file,
    lock: reportedLock(found, lockSelf([]), holderFacts(found)),
    runs: (await knownRuns(state.runs)).map(({ key, runId, run }) => ({
      key,
      runId,
      status: run.status,
      state: run.state,
      sentence: run.halt?.diagnosis.sentence ?? run.failure?.sentence ?? null,
    })),
    certificate:
      certificate === null
        ? null
        : {
            serial: certificate.presented.serial,
            validBefore: new Date(certificate.presented.validBefore).toISOString(),
          },
    spooledReports: await spooledReports(state.spool),
  }
}

export function formatStatus(status: AgentStatus): string {
  const { enrolled, certificate, lock } = status
  return [
    `lockstep-agent ${status.version}, ${status.configFile}`,
    enrolled === null ? 'not enrolled' : `enrolled at ${enrolled.url} as ${enrolled.nodeName}`,
    certificate === null ? 'no certificate' : `certificate ${certificate.serial} until ${certificate.validBefore}`,
    lock === null
      ? `lock ${status.lockFile}: free`
      : lock.standing === 'corrupt'
        ? `lock ${status.lockFile}: corrupt; the next run takes it over`
        : `lock ${status.lockFile}: ${lock.standing}, process ${lock.pid} on ${lock.hostname}, run ${lock.runId}`,
    ...status.runs.map(
      ({ key, runId, status: runStatus, state, sentence }) =>
        `run ${runId ?? `(key ${key}, not registered)`}: ${runStatus} in ${state}${sentence === null ? '' : `: ${sentence}`}`,
    ),
    `${status.spooledReports} reports wait to be sent`,
  ].join('\n')
}

/** What was broken, for a person. */
export function describeFoundLock(path: string, found: FoundLock): string {
  if (found.status === 'absent') return `There is no lock ${path}.`
  const who = found.status === 'corrupt' ? 'it could not be read' : `it was held by ${describeHolder(found.content)}`
  return `Removed the lock ${path}: ${who}.`
}
