import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { adviceFor } from '../../core/agent/delivery.ts'
import { backoffMs } from '../../core/agent/duration.ts'
import { storageAlias } from '../../core/agent/sshConfig.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import { shellRemoteDirectory } from '../../core/transfer/paths.ts'
import { remoteScript } from '../../core/transfer/remoteShell.ts'
import { partialDirectory } from '../../core/transfer/rsyncArguments.ts'
import { nothingMoved } from '../../core/transfer/tally.ts'
import { exec } from '../../platform/exec.ts'
import type { RegisterRequest, RegisterResponse } from '../../shared/agentApi/index.ts'
import { toAppError } from '../../shared/errors.ts'
import type { ControlPlane } from '../control/controlPlane.ts'
import { codeOf } from '../control/request.ts'
import type { StepContext } from './context.ts'
import { legsOf } from './legs.ts'
import type { StepOutcome } from './outcome.ts'

const cleanUpTimeoutMs = 30_000

/**
 * Registers under the idempotency key until it is answered, as long as the configuration says (S0.58-60, D8). However
 * often it is sent, and whether or not an answer was lost: the same run comes back (S0.88).
 */
export async function register(
  { setup, clock, signal, log }: StepContext,
  controlPlane: ControlPlane,
  request: { readonly key: string; readonly body: RegisterRequest },
): Promise<RegisterResponse> {
  const until = clock.monotonicMs() + setup.config.control_plane.registration_timeout_seconds * 1000
  for (let tries = 1; ; tries += 1) {
    try {
      return await controlPlane.register(request.key, request.body, { signal })
    } catch (error) {
      const waitMs = backoffMs(tries, Math.random())
      const mayWait = adviceFor(codeOf(error)) === 'again' && clock.monotonicMs() + waitMs < until
      if (!mayWait || signal.aborted) throw error
      log(`not registered yet: ${toAppError(error).message}`)
      await delay(waitMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** REPORT: times and volume, which go to the control plane with the state (S0.76-78). */
export function report({ run, clock, log }: StepContext): StepOutcome {
  const durationMs = Math.max(0, clock.nowMs() - (run.startedAt ?? run.createdAt))
  const summary = { ...(run.summary ?? nothingMoved), durationMs }
  log(
    `${summary.filesTransferred} of ${summary.filesTotal} files sent, ${summary.filesDeleted} deleted, ${summary.bytesTransferred} bytes on the wire, ${durationMs} ms`,
  )
  return { kind: 'done', patch: { summary } }
}

/**
 * FINALIZE: removes unfinished files of attempts that broke off (S0.81). After a failure they stay: the next run goes on
 * with them (S0.71). The lock is released by the transition that follows (S0.79, S0.80).
 */
export async function finalize(context: StepContext): Promise<StepOutcome> {
  if (context.run.attempts.length <= 1) return { kind: 'done' }
  try {
    for (const leg of legsOf(context.setup, 'pull')) await removeLocalPartials(leg.local)
    await removeRemotePartials(context)
  } catch (error) {
    context.log(`clean-up failed, which does no harm: ${diagnosisOf(error).sentence}`)
  }
  return { kind: 'done' }
}

async function removeLocalPartials(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.name === partialDirectory && entry.isDirectory())
      await rm(join(entry.parentPath, entry.name), { recursive: true, force: true })
  }
}

async function removeRemotePartials({ setup, signal }: StepContext): Promise<void> {
  const finds = setup.config.sync.push.map(
    ({ target }) =>
      `(cd ${shellRemoteDirectory(target)} && find . -type d -name ${partialDirectory} -prune -exec rm -rf {} +)`,
  )
  if (finds.length === 0) return
  const script = remoteScript(`${finds.join('\n')}\n`)
  await exec({
    command: 'ssh',
    args: ['-F', setup.state.sshConfig, storageAlias, script.command],
    stdin: script.stdin,
    timeoutMs: cleanUpTimeoutMs,
    signal,
  })
}
