import { exec } from '../platform/exec.ts'
import { AppError, assertNever } from '../shared/errors.ts'
import type { DemoFault } from '../shared/model/demo.ts'
import type { NodeRecord } from './fleetFile.ts'
import type { NodeLayout } from './layout.ts'
import { fakeClockEnvironment } from './programs.ts'

/** Runs a command as a session of the node would, without logging in. */
const inSession = (layout: NodeLayout, command: string) =>
  exec({
    command: '/bin/sh',
    args: [layout.session],
    env: { SSH_ORIGINAL_COMMAND: command },
    timeoutMs: 20_000,
    okExitCodes: 'any',
  })

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

/** Proves that a session really finds its disk full; the node's files must be written for that fault. */
async function proveFullDisk(layout: NodeLayout): Promise<void> {
  const entered = await inSession(layout, 'true')
  const written =
    entered.exitCode === 0
      ? await inSession(layout, 'echo x > "$HOME/.probe"; status=$?; rm -f "$HOME/.probe"; exit $status')
      : entered
  if (entered.exitCode === 0 && written.exitCode !== 0 && /No space left|I\/O error/i.test(written.stderr)) return
  const reason = lastLine(written.stderr) || 'a session could still write'
  throw new AppError(
    'UNSUPPORTED',
    `This system does not let an ordinary process mount a full disk of its own (${reason}). Try the fault as root, or where user namespaces are permitted.`,
    {
      data: { fault: 'disk-full', reason },
    },
  )
}

/** What must hold before a node is broken this way. Throws with the reason, and what to do, when it does not. */
export async function assertFaultPossible(fault: DemoFault, node: Pick<NodeRecord, 'name' | 'kind'>): Promise<void> {
  if (fault === 'traefik-stopped' && node.kind !== 'vps')
    throw new AppError('UNSUPPORTED', `${node.name} has no Traefik to stop; choose a node of kind vps.`, {
      data: { fault },
    })
  switch (fault) {
    case 'expired':
      await fakeClockEnvironment()
      return
    case 'disk-full':
      if (process.platform === 'linux') return
      throw new AppError('UNSUPPORTED', 'A full disk needs the mount namespaces of Linux.', { data: { fault } })
    case 'offline':
    case 'slow':
    case 'wrong-principal':
    case 'host-key-changed':
    case 'traefik-stopped':
      return
    default:
      assertNever(fault)
  }
}

/** Checks that a fault just put in place is real. */
export async function proveFault(fault: DemoFault, layout: NodeLayout): Promise<void> {
  if (fault === 'disk-full') await proveFullDisk(layout)
}
