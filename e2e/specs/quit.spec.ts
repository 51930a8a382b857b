import { expect, test } from '../fixtures/console.ts'
import { demoInStep, pushOne, untilFinal } from '../fixtures/demo.ts'
import { connectEngine } from '../fixtures/engineClient.ts'
import { waitUntil } from '../fixtures/waitUntil.ts'

test('S0.86 quitting in the middle of a run is orderly, and the next start finishes the same run @desktop', async ({
  ownHome,
  launchDesktop,
}) => {
  const first = launchDesktop()
  await first.openPage()
  const before = await connectEngine(ownHome)
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

  const second = launchDesktop()
  await second.openPage()
  const after = await connectEngine(ownHome)
  const ended = await untilFinal(after.client, run.id)
  expect(ended).toMatchObject({ id: run.id, status: 'succeeded' })
  after.close()
})
