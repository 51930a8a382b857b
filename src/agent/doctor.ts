import { lookup } from 'node:dns/promises'
import { access, constants, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { whyNotCertificate } from '../core/agent/certificate.ts'
import { agentSpecOf } from '../core/agent/config.ts'
import { describeHolder } from '../core/agent/lock.ts'
import { diagnosisOf } from '../core/run/thrown.ts'
import { systemClock } from '../platform/clock.ts'
import { exec } from '../platform/exec.ts'
import { createLogging } from '../platform/logger.ts'
import { AppError } from '../shared/errors.ts'
import type { Diagnosis, DoctorReport, DoctorStep } from '../shared/model/diagnosis.ts'
import { IdempotencyKey } from '../shared/model/ids.ts'
import { type AgentSetup, findConfigDirectory, loadSetup } from './config.ts'
import { Session } from './control/session.ts'
import { readSshPublicKey } from './enroll/sshKey.ts'
import { offeredHostKeys } from './hostKeys.ts'
import { holderFacts, readLock } from './lockFile.ts'
import { readCertificate } from './run/certificate.ts'
import { emptyMemory, type StepContext } from './run/context.ts'
import { newRecord } from './run/journal.ts'
import { legsOf } from './run/legs.ts'
import { askStorage } from './run/ssh.ts'

/** A check that found something; null evidence means that all is well. */
interface Finding {
  readonly status: DoctorStep['status']
  readonly detail: string
  readonly evidence?: readonly string[]
}

interface Patient {
  readonly setup: AgentSetup
  readonly context: StepContext
}

const tolerableSkewMs = 60_000
const ok = (detail: string, evidence: readonly string[] = []): Finding => ({ status: 'ok', detail, evidence })

/**
 * Walks the way of a run without changing anything: configuration, control plane, key, certificate, lock, storage,
 * directories. The first check that fails gives the one cause.
 */
export async function runDoctor(configDirectory: string | undefined): Promise<DoctorReport> {
  const steps: DoctorStep[] = []
  let diagnosis: Diagnosis | null = null
  const check = async (name: string, look: () => Promise<Finding>): Promise<void> => {
    const startedAt = performance.now()
    let finding: Finding
    try {
      finding = diagnosis === null || independent.has(name) ? await look() : skipped
    } catch (error) {
      const found = diagnosisOf(error)
      diagnosis ??= found
      finding = { status: 'failed', detail: found.sentence, evidence: found.evidence }
    }
    const { status, detail, evidence = [] } = finding
    steps.push({ name, status, detail, evidence: [...evidence], durationMs: performance.now() - startedAt })
  }
  let setup: AgentSetup | null = null
  await check('configuration', async () => {
    setup = await loadSetup(findConfigDirectory(configDirectory))
    return ok(setup.layout.configFile)
  })
  if (setup !== null) await walk({ setup, context: patientContext(setup) }, check)
  return { nodeName: hostname(), steps, diagnosis }
}

/** Looked at even when something before them failed: they need nothing of it. */
const independent = new Set(['programs', 'certificate', 'lock', 'sources', 'storage name', 'host key'])
const skipped: Finding = { status: 'skipped', detail: 'something before it failed' }

type Check = (name: string, look: () => Promise<Finding>) => Promise<void>

async function walk(patient: Patient, check: Check): Promise<void> {
  await check('programs', checkPrograms)
  await check('control plane', () => checkControlPlane(patient))
  await check('key', () => checkKey(patient))
  await check('certificate', () => checkCertificate(patient))
  await check('lock', () => checkLock(patient))
  await check('sources', () => checkSources(patient))
  await check('storage name', () => checkName(patient))
  await check('host key', () => checkHostKey(patient))
  await check('login', () => checkLogin(patient))
}

function patientContext(setup: AgentSetup): StepContext {
  const record = newRecord({
    key: IdempotencyKey.parse('doctor-without-run'),
    requestedBy: 'doctor',
    spec: agentSpecOf(setup.config),
    hostname: hostname(),
    nowMs: systemClock.nowMs(),
  })
  const nothing = (): void => undefined
  return {
    setup,
    clock: systemClock,
    run: record.run,
    memory: emptyMemory(),
    signal: new AbortController().signal,
    log: nothing,
    output: nothing,
  }
}

async function checkPrograms(): Promise<Finding> {
  const { stdout } = await exec({ command: 'rsync', args: ['--version'], timeoutMs: 10_000 })
  const ssh = await exec({ command: 'ssh', args: ['-V'], timeoutMs: 10_000 })
  return ok(`${stdout.split('\n')[0]}; ${ssh.stderr.trim()}`)
}

async function checkControlPlane({ setup }: Patient): Promise<Finding> {
  const { logger } = createLogging({ level: 'fatal', stderr: false, sinks: [] })
  const session = await Session.open({ setup, clock: systemClock, logger })
  const { clockSkewMs } = await session.say({ status: 'idle', nextRunAt: null })
  const seconds = Math.round(clockSkewMs / 1000)
  const clock = `its clock is ${Math.abs(seconds)} s ${seconds < 0 ? 'behind' : 'ahead of'} ours`
  return Math.abs(clockSkewMs) > tolerableSkewMs
    ? {
        status: 'warning',
        detail: `answers, but ${clock}: set both clocks (NTP)`,
        evidence: [`skew ${clockSkewMs} ms`],
      }
    : ok(`${session.controlPlane.url} answers, ${clock}`)
}

async function checkKey({ setup }: Patient): Promise<Finding> {
  await readSshPublicKey(setup.layout)
  const mode = (await stat(setup.layout.key)).mode & 0o777
  return mode === 0o600
    ? ok(`${setup.layout.key}, mode 0600`)
    : {
        status: 'warning',
        detail: `${setup.layout.key} has mode 0${mode.toString(8)}: ssh may refuse it. Set it to 0600.`,
      }
}

async function checkCertificate({ setup, context }: Patient): Promise<Finding> {
  const certificate = await readCertificate(setup.layout.certificate, await readSshPublicKey(setup.layout))
  if (certificate === null) return { status: 'warning', detail: 'none yet; the next run gets one' }
  context.memory.certificate = certificate.presented
  const wishes = { principal: setup.config.ssh.principal, nowMs: systemClock.nowMs() }
  const reason = whyNotCertificate(certificate.received, wishes)
  const { serial, principals, validBefore } = certificate.presented
  const evidence = [
    `serial ${serial}, principals ${principals.join(', ')}, until ${new Date(validBefore).toISOString()}`,
  ]
  return reason === null
    ? ok(`certificate ${serial} is valid`, evidence)
    : { status: 'warning', detail: `not usable, the next run gets a new one: ${reason}`, evidence }
}

async function checkLock({ setup }: Patient): Promise<Finding> {
  const found = await readLock(setup.config.lock_file)
  if (found.status === 'absent') return ok(`${setup.config.lock_file} is free`)
  if (found.status === 'corrupt') return { status: 'warning', detail: 'cannot be read; the next run reclaims it' }
  const who = describeHolder(found.content)
  if (found.content.hostname !== hostname()) {
    throw new AppError(
      'LOCK_HELD',
      `The lock was written on another machine (${who}). If that agent is gone: lockstep-agent break-lock`,
    )
  }
  return holderFacts(found).alive ? ok(`an agent works: ${who}`) : ok(`left by ${who}; the next run reclaims it`)
}

async function checkSources({ setup }: Patient): Promise<Finding> {
  const legs = legsOf(setup, 'push')
  for (const { local } of legs) {
    const stats = await stat(local).catch(() => null)
    if (stats === null) throw new AppError('SOURCE_MISSING', `The source ${local} does not exist.`)
    if (!stats.isDirectory()) throw new AppError('SOURCE_NOT_A_DIRECTORY', `The source ${local} is not a directory.`)
    await access(local, constants.R_OK | constants.X_OK)
  }
  return ok(`${legs.length} to push: ${legs.map(({ local }) => local).join(', ')}`)
}

async function checkName({ setup }: Patient): Promise<Finding> {
  const { host } = setup.config.storage
  try {
    return ok(`${host} is ${(await lookup(host)).address}`)
  } catch (error) {
    throw new AppError('NAME_NOT_RESOLVED', `The name of storage was not found: no answer for "${host}".`, {
      data: { evidence: [(error as NodeJS.ErrnoException).code ?? ''] },
    })
  }
}

async function checkHostKey({ setup }: Patient): Promise<Finding> {
  const offered = await offeredHostKeys(setup)
  const { host, port } = setup.config.storage
  if (offered.length === 0) {
    throw new AppError('CONNECTION_REFUSED', `${host} port ${port} offers no host key: no SSH server answers there.`)
  }
  return ok(
    `${host} offers ${offered.length} host keys`,
    offered.map(({ keyType, fingerprint }) => `${keyType} ${fingerprint}`),
  )
}

async function checkLogin({ context }: Patient): Promise<Finding> {
  if (context.memory.certificate === null)
    return { status: 'skipped', detail: 'there is no certificate to log in with' }
  const facts = await askStorage(context, { make: false })
  if (facts === null) return { status: 'warning', detail: 'logged in, but storage runs no commands for us' }
  if (!facts.hasRsync) throw new AppError('REMOTE_PROGRAM_MISSING', 'Storage has no rsync. Install it there.')
  const skewMs = facts.clockSeconds === null ? 0 : facts.clockSeconds * 1000 - systemClock.nowMs()
  const seconds = Math.round(skewMs / 1000)
  const directories = facts.targets.map((target, index) => {
    const { remote } = legsOf(context.setup, 'push')[index] ?? { remote: '' }
    const free = target.freeBytes === null ? '' : `, ${Math.floor(target.freeBytes / 1_048_576)} MiB free`
    return `${remote}: ${target.status === 'missing' ? 'will be made' : target.status}${free}`
  })
  const refused = facts.targets.find(({ status }) => status === 'refused' || status === 'not-a-directory')
  if (refused !== undefined) {
    throw new AppError('REMOTE_PERMISSION_DENIED', `A target on storage cannot be used: ${refused.complaint}`, {
      data: { evidence: directories },
    })
  }
  return Math.abs(skewMs) > tolerableSkewMs
    ? {
        status: 'warning',
        detail: `logged in, but the clock of storage is ${seconds} s from ours`,
        evidence: directories,
      }
    : ok(`logged in, the clock of storage is ${seconds} s from ours`, directories)
}

const marks: Readonly<Record<DoctorStep['status'], string>> = { ok: 'ok', warning: '!!', failed: 'XX', skipped: '--' }

export function formatDoctor({ steps, diagnosis }: DoctorReport): string {
  const lines = steps.flatMap(({ name, status, detail, evidence }) => [
    `${marks[status]}  ${name}: ${detail}`,
    ...evidence.map((line) => `      ${line}`),
  ])
  return [...lines, '', diagnosis === null ? 'No cause found: a run can begin.' : `Cause: ${diagnosis.sentence}`].join(
    '\n',
  )
}
