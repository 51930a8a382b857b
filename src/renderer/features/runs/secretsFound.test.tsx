import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { IdempotencyKey } from '../../../shared/model/ids.ts'
import type { Run } from '../../../shared/model/run.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNodes } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { seedRepositories } from '../../dev/seedRepositories.ts'
import { View as FleetView } from '../fleet/index.tsx'
import { View } from './index.tsx'

let stop = (): void => undefined

afterEach(() => {
  stop()
  stop = () => undefined
  cleanup()
})

const nowMs = 1_750_000_000_000

async function heldBack(): Promise<{ readonly link: FakeLink; readonly run: Run }> {
  const link = createFakeLink({ nodes: fakeNodes(40, nowMs), nowMs: () => nowMs })
  seedRepositories(link, 1)
  const { runs } = await link.client.repositories.sync({
    idempotencyKey: 'sync-of-a-test' as IdempotencyKey,
    repository: 'th_timmy',
  })
  return { link, run: runs[0] as Run }
}

describe('a run that secrets hold back', () => {
  it('S2.33 shows rule, file and line of what is open, and leads to the findings', async () => {
    const { link, run } = await heldBack()
    ;({ stop } = await renderView(View, link, `#/runs/${run.id}`))
    const table = await screen.findByRole('table', { name: 'Open findings' })
    expect(table.textContent).toContain('deploy/prod.env:14')
    expect(table.textContent).not.toContain('server.key')
    const panel = screen.getByRole('region', { name: 'Held back' })
    expect(within(panel).getByRole('link', { name: 'See the findings of th_timmy' }).getAttribute('href')).toBe(
      '#/repositories/th_timmy/findings',
    )
    expect(panel.textContent).toContain('Going on skips nothing')
    fireEvent.click(within(panel).getByRole('button', { name: 'Look again and go on' }))
    await waitFor(() =>
      expect(link.engine.run(run.id).approvals.map(({ reason }) => reason)).toEqual(['secrets-found']),
    )
  })

  it('S2.33 the drawer of its node leads to the findings, too', async () => {
    const { link, run } = await heldBack()
    ;({ stop } = await renderView(FleetView, link, `#/fleet?view=table&node=${run.nodeId}`))
    fireEvent.click(await screen.findByRole('button', { name: 'See the findings' }))
    expect(location.hash).toBe('#/repositories/th_timmy/findings')
  })
})
