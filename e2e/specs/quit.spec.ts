import { rmSync } from 'node:fs'
import { expect, newHome, test } from '../fixtures/console.ts'
import { demoInStep, pushOne, untilFinal } from '../fixtures/demo.ts'
import { startDesktop } from '../fixtures/desktopHost.ts'
import { connectEngine } from '../fixtures/engineClient.ts'
import { waitUntil } from '../fixtures/waitUntil.ts'

test('S0.86 quitting in the middle of a run is orderly, and the next start finishes the same run @desktop', async () => {
  const home = newHome()
  const first = startDesktop(home, {})
  await first.openPage()
  const before = await connectEngine(home)
  await demoInStep(before.client, 3)
  await before.client.demo.fault({ node: 'worker-01', fault: 'slow' })
  const run = await pushOne(before.client, 'worker-01')
  await waitUntil(
    'the run under way',
    async () => (await before.client.runs.get({ runId: run.id })).status === 'running',
  )
  before.close()
  await first.close()
  expect(first.exitCode).toBe(0)

  const second = startDesktop(home, {})
  await second.openPage()
  const after = await connectEngine(home)
  const ended = await untilFinal(after.client, run.id)
  expect(ended).toMatchObject({ id: run.id, status: 'succeeded' })
  await after.client.demo.down()
  after.close()
  await second.close()
  expect(second.watch.take()).toEqual([])
  rmSync(home, { recursive: true, force: true })
})
