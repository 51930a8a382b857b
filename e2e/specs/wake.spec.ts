import { test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { FleetPage } from '../pages/fleet.ts'

// Nothing looks by itself within an hour: what happens here, the wake-up has done.
test.use({ world: { config: 'unreachableProbeIntervalMs: 3600000\n' } })

test('after sleep the fleet is looked at once, and a node that came back turns green @desktop', async ({
  console,
  desktop,
  engine,
}) => {
  await demoInStep(engine, 3)
  const fleet = new FleetPage(console)
  await engine.demo.fault({ node: 'worker-01', fault: 'offline' })
  await engine.nodes.check({ node: 'worker-01' })
  await fleet.expectTile('worker-01', 'unreachable')
  await engine.demo.heal({ node: 'worker-01' })
  desktop.emit('powerMonitor', 'resume')
  await fleet.expectTile('worker-01', 'in step', { timeoutMs: 60_000 })
})
