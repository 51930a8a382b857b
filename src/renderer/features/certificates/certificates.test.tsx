import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNode, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { View } from './index.tsx'

const nowMs = Date.now()
let stop: (() => void) | null = null

async function show(link: FakeLink, hash: string): Promise<void> {
  stop = (await renderView(View, link, hash)).stop
}

afterEach(() => {
  stop?.()
  stop = null
})

describe('certificates', () => {
  it('F53 calls renewed only what the node has accepted', async () => {
    const link = createFakeLink({
      nodes: [fakeNode(1, nowMs, 'in-step'), fakeNode(2, nowMs, 'unreachable')],
      plans: [fakePlan],
    })
    await show(link, '#/certificates')
    fireEvent.click(await screen.findByRole('button', { name: 'Choose all' }))
    fireEvent.click(screen.getByRole('button', { name: 'Renew (2)…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('2 of 2 nodes')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Renew 2 certificates' }))
    const outcome = await screen.findByRole('status', { name: 'Result of the renewal' })
    expect(outcome.textContent).toContain('1 of 2 new certificates accepted.')
    expect(outcome.textContent).toContain('no answer, port 22')
    expect(await screen.findByText('issued, not accepted yet')).toBeDefined()
    expect(screen.getByText('1 of 2 nodes chosen')).toBeDefined()
  })

  it('N4 lists what was signed, also while one looks', async () => {
    const link = createFakeLink({ nodes: [fakeNode(1, nowMs, 'in-step')], plans: [fakePlan] })
    await show(link, '#/certificates?tab=issued')
    expect(await screen.findByText('Nothing was signed yet')).toBeDefined()
    link.engine.renew([...link.engine.nodes.values()][0] as never)
    const grid = await screen.findByRole('grid', { name: 'Issue log' })
    await waitFor(() => expect(within(grid).getByText('90001')).toBeDefined())
  })

  it('F60 shows the authority: fingerprint, how its key is sealed, its public key', async () => {
    await show(createFakeLink({ nodes: [], plans: [] }), '#/certificates?tab=authority')
    const card = await screen.findByRole('region', { name: 'SSH user authority' })
    expect(card.textContent).toContain('a passphrase (scrypt, AES-256-GCM)')
    expect(card.textContent).toContain('lockstep-user-ca')
    expect(card.textContent).not.toContain('PRIVATE')
  })
})
