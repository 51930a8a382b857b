import { readStorageFacts, type StorageFacts, storageFactsScript } from '../../core/agent/remoteFacts.ts'
import { renderAgentSshConfig, storageAlias } from '../../core/agent/sshConfig.ts'
import { diagnoseProgram } from '../../core/diagnose/program.ts'
import { noisyShell } from '../../core/run/causes.ts'
import { remoteScript } from '../../core/transfer/remoteShell.ts'
import { writeFileAtomic } from '../../platform/atomicFile.ts'
import { exec } from '../../platform/exec.ts'
import { AppError } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { AgentSetup } from '../config.ts'
import { offeredHostKeys } from '../hostKeys.ts'
import { type StepContext, storageOf } from './context.ts'
import { orphanMark } from './orphans.ts'

const sshTimeoutMs = 60_000

/** What `ssh` and `rsync` are given to reach storage. Written anew for every run: the configuration may have changed. */
export async function writeSshConfig({ config, layout, state }: AgentSetup): Promise<void> {
  const content = renderAgentSshConfig({
    ...config.storage,
    key: layout.key,
    certificate: layout.certificate,
    knownHosts: layout.knownHosts,
  })
  await writeFileAtomic(state.sshConfig, content)
}

/**
 * Logs in without rsync (S0.65) and asks in the same breath what the checks need.
 * @returns null when the login is good but runs no commands for us
 * @throws AppError with `data.diagnosis`: the one cause why the login failed
 */
export async function askStorage(context: StepContext, options = { make: true }): Promise<StorageFacts | null> {
  const { setup, signal, log } = context
  const { push, pull } = setup.config.sync
  await writeSshConfig(setup)
  const script = remoteScript(
    storageFactsScript(
      push.map((leg) => leg.target),
      pull.map((leg) => leg.source),
      options,
    ),
  )
  const result = await exec({
    command: 'ssh',
    args: ['-F', setup.state.sshConfig, storageAlias, script.command],
    stdin: script.stdin,
    // Only what belongs to a run is an orphan when its agent is gone.
    env: options.make ? orphanMark(setup.config.lock_file) : {},
    okExitCodes: 'any',
    timeoutMs: sshTimeoutMs,
    signal,
  })
  const facts = readStorageFacts(result.stdout, { targets: push.length, sources: pull.length })
  if (facts !== null) {
    const noise = result.stdout.split('\n').slice(0, result.stdout.split('\n').indexOf('lockstep-facts-begin'))
    if (noise.length > 0) throw diagnosed(noisyShell(storageOf(context).name, noise))
    log(`logged in as ${setup.config.storage.user}@${setup.config.storage.host}`)
    return facts
  }
  const diagnosis = await diagnoseSsh(context, result.exitCode, result.stderr)
  if (result.exitCode === 255 || diagnosis.code === 'SHELL_REFUSED') throw diagnosed(diagnosis)
  return null
}

const diagnosed = (diagnosis: Diagnosis): AppError =>
  new AppError(diagnosis.code, diagnosis.sentence, { data: { diagnosis } })

/** One cause for a login that failed; for an unknown host key with what is offered and how to accept it. */
async function diagnoseSsh(context: StepContext, exitCode: number, stderr: string): Promise<Diagnosis> {
  const diagnosis = diagnoseProgram(storageOf(context), evidenceOf(context, 'ssh', exitCode, stderr))
  if (diagnosis.code !== 'HOST_KEY_UNKNOWN' && diagnosis.code !== 'HOST_KEY_CHANGED') return diagnosis
  const offered = await offeredHostKeys(context.setup).catch(() => [])
  const first = offered.find((key) => key.keyType === 'ssh-ed25519') ?? offered[0]
  return {
    ...diagnosis,
    sentence: `${diagnosis.sentence} On this machine: lockstep-agent doctor --trust ${first?.fingerprint ?? 'SHA256:…'}`,
    evidence: [...offered.map((key) => `offered: ${key.keyType} ${key.fingerprint}`), ...diagnosis.evidence],
  }
}

/** What is known about a program that ended badly. */
export function evidenceOf({ clock, memory }: StepContext, program: string, exitCode: number, stderr: string) {
  return {
    program,
    exitCode,
    stderr,
    nowMs: clock.nowMs(),
    clockSkewMs: memory.clockSkewMs,
    ...(memory.certificate === null ? {} : { certificate: memory.certificate }),
  }
}
