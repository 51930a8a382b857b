import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../../api/links/fake.ts'
import { renderView } from '../../../dev/renderForTest.tsx'
import { View } from '../index.tsx'

const nowMs = 1_800_000_000_000
const settings = { address: '10.0.0.5', port: 0, names: ['control.internal'] }
let stop: (() => void) | null = null

async function show(prepare: (link: FakeLink) => void = () => undefined): Promise<FakeLink> {
  const link = createFakeLink({ nowMs: () => nowMs })
  prepare(link)
  stop = (await renderView(View, link, '#/settings')).stop
  return link
}

afterEach(() => {
  stop?.()
  stop = null
})

describe('the gateway in the settings', () => {
  it('is off until a person switches it on, and says why a wrong address was not taken', async () => {
    const link = await show()
    fireEvent.click(await screen.findByRole('button', { name: 'Switch it on…' }))
    const address = screen.getByLabelText('Address to listen at')
    fireEvent.change(address, { target: { value: 'control.internal' } })
    fireEvent.click(screen.getByRole('button', { name: 'Switch the gateway on' }))
    expect(await screen.findByText(/an IP address of this machine/)).toBeDefined()
    expect(link.agents.settings).toBeNull()
    fireEvent.change(address, { target: { value: '10.0.0.5' } })
    fireEvent.click(screen.getByRole('button', { name: 'Switch the gateway on' }))
    expect(await screen.findByText('listening')).toBeDefined()
  })

  it('shows where it listens with the port that is in use, and how agents reach it', async () => {
    await show((link) => link.agents.listen(settings))
    expect(await screen.findByText('10.0.0.5, port 41873')).toBeDefined()
    expect(screen.getByText('https://control.internal:41873')).toBeDefined()
    expect(screen.getByText('d'.repeat(64))).toBeDefined()
  })

  it('says in words why it does not listen', async () => {
    await show((link) => link.agents.listen(settings, 'No interface of this machine has the address 10.0.0.5.'))
    expect(await screen.findByText('not listening')).toBeDefined()
    expect(screen.getByRole('alert').textContent).toContain('No interface of this machine')
  })

  it('is switched off only after its consequences were named', async () => {
    const link = await show((fake) => {
      fake.agents.listen(settings)
      fake.agents.add('running')
      fake.agents.add('idle')
    })
    fireEvent.click(await screen.findByRole('button', { name: 'Switch it off…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('2 agents')
    expect(dialog.textContent).toContain('1 run under way will stop being reported')
    expect(link.agents.settings).not.toBeNull()
    fireEvent.click(within(dialog).getByRole('button', { name: 'Switch off' }))
    await waitFor(() => expect(link.agents.settings).toBeNull())
    expect(await screen.findByText(/Off: nothing listens/)).toBeDefined()
  })
})
