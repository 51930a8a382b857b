import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RoutesSettings } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig } from '../../support/deliveryRig.ts'
import { sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

/** One that has ended and that nobody has asked about yet runs no more. */
async function isRunning(pid: string): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ') Z')
  return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}

describe.skipIf(sshdMissing !== null)('canceling a delivery', () => {
  it('U26 ends the receiver script that hangs on the node, and proves it', async () => {
    const rig = await createDeliveryRig()
    try {
      await mkdir(join(rig.home, 'traefik/config'), { recursive: true })
      await rig.program('hangs', `cat >/dev/null; echo $$ >${join(rig.programs, 'pid')}; sleep 600; echo never`)
      await rig.registry([aService()])
      await rig.planOf('routes', {
        routes: RoutesSettings.parse({ domain: 'example.com' }),
        receiver: { kind: 'script', file: join(rig.programs, 'hangs') },
        traefik: { kind: 'none' },
      })
      const run = await rig.push({ plan: 'routes' })
      const pid = await waitFor('the script on the node', async () =>
        (await readFile(join(rig.programs, 'pid'), 'utf8')).trim(),
      )
      const canceled = await rig.service.cancel(run.id, 'ann@desk')
      expect(canceled).toMatchObject({ status: 'canceled', cancellation: { by: 'ann@desk', stopConfirmed: true } })
      expect(await isRunning(pid)).toBe(false)
      expect((await rig.state()).status).toBe('pending_sync')
      // The channel that was cut is no obstacle for the next run.
      await writeFile(join(rig.programs, 'hangs'), '#!/bin/sh\ncat >/dev/null; exit 5\n')
      expect(await rig.again('routes')).toMatchObject({ status: 'failed', failure: { code: 'RECEIVER_FAILED' } })
    } finally {
      await rig.dispose()
    }
  })
})
