import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../../api/links/fake.ts'
import { fakeNodes, fakePlan } from '../../../api/links/fakeFleet.ts'
import { renderView } from '../../../dev/renderForTest.tsx'
import { View } from '../index.tsx'

const nowMs = Date.now()
let stop: (() => void) | null = null

async function show(prepare: (link: FakeLink) => void = () => undefined): Promise<FakeLink> {
  const link = createFakeLink({ nodes: fakeNodes(50, nowMs), plans: [fakePlan] })
  prepare(link)
  stop = (await renderView(View, link, '#/certificates?tab=authorities')).stop
  return link
}

const card = (name: string) => screen.findByRole('region', { name })

afterEach(() => {
  stop?.()
  stop = null
})

describe('authorities', () => {
  it('F60 shows fingerprint, age and seal of each, and never a private key', async () => {
    await show((link) => link.trust.create(['ssh-host', 'x509']))
    for (const name of ['SSH user authority', 'SSH host authority', 'X.509 authority']) {
      const panel = await card(name)
      expect(panel.textContent).toContain('a passphrase (scrypt, AES-256-GCM)')
      expect(panel.textContent).toContain('SHA256:')
      expect(panel.textContent).not.toContain('PRIVATE')
    }
  })

  it('S0.4 creates the one that is missing', async () => {
    const link = await show()
    const panel = await card('SSH host authority')
    fireEvent.click(within(panel).getByRole('button', { name: 'Create it' }))
    await waitFor(async () => expect((await card('SSH host authority')).textContent).toContain('Fingerprint'))
    expect([...link.trust.authorities.keys()]).toEqual(['ssh-user', 'ssh-host'])
  })

  it('S0.17 exports what a node needs, with what to do with it', async () => {
    const link = await show()
    const panel = await card('SSH user authority')
    fireEvent.click(within(panel).getByRole('button', { name: 'Export' }))
    const form = await within(panel).findByRole('region', { name: 'trusted_user_ca.pub' })
    expect(form.textContent).toContain('TrustedUserCAKeys')
    fireEvent.click(within(form).getByRole('button', { name: 'Copy trusted_user_ca.pub' }))
    await waitFor(() => expect(link.copied[0]).toContain('lockstep-user-ca'))
  })
})

describe('rotation of an authority', () => {
  it('U29 starts only after the reach was named', async () => {
    const link = await show()
    const panel = await card('SSH user authority')
    fireEvent.click(within(panel).getByRole('button', { name: 'Rotate…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('50 push nodes')
    expect(dialog.textContent).toContain('No plan of kind trusted authorities reaches 50 nodes')
    expect(link.trust.authority('ssh-user').rotation).toBeNull()
    fireEvent.click(within(dialog).getByRole('button', { name: 'Start the rotation' }))
    await screen.findByText('Both are trusted; the old one still signs.')
  })

  it('shows who waits and why, and does not go on before all are proven', async () => {
    const link = await show(({ trust }) => {
      trust.startRotation('ssh-user')
      trust.waiting = [{ name: 'worker-0007', why: 'no answer on port 22' }]
    })
    const panel = await card('SSH user authority')
    await within(panel).findByText('49 of 50 proven')
    expect(within(panel).getByRole('list', { name: 'Waiting for' }).textContent).toContain(
      'worker-0007no answer on port 22',
    )
    expect(within(panel).getByRole<HTMLButtonElement>('button', { name: 'Let the new one sign…' }).disabled).toBe(true)
    expect(panel.textContent).toContain('It goes on when all 50 are proven: 1 to go.')
    link.trust.waiting = []
    await waitFor(
      () =>
        expect(within(panel).getByRole<HTMLButtonElement>('button', { name: 'Let the new one sign…' }).disabled).toBe(
          false,
        ),
      { timeout: 6000 },
    )
    fireEvent.click(within(panel).getByRole('button', { name: 'Let the new one sign…' }))
    fireEvent.click(await screen.findByRole('button', { name: 'Let the new one sign' }))
    await screen.findByText('Both are trusted; the new one signs.')
  })

  it('leaves nobody behind who was not ticked by name', async () => {
    const link = await show(({ trust }) => {
      trust.startRotation('ssh-user')
      trust.waiting = [
        { name: 'worker-0007', why: 'no answer on port 22' },
        { name: 'vps-0003', why: 'its disk is full' },
      ]
    })
    const panel = await card('SSH user authority')
    fireEvent.click(await within(panel).findByRole('button', { name: 'Go on without some…' }))
    const dialog = await screen.findByRole('alertdialog')
    const confirm = (): HTMLButtonElement =>
      within(dialog).getAllByRole<HTMLButtonElement>('button').at(-1) as HTMLButtonElement
    expect(confirm().disabled).toBe(true)
    fireEvent.click(within(dialog).getByLabelText(/worker-0007/))
    expect(confirm().disabled).toBe(true)
    fireEvent.click(within(dialog).getByLabelText(/vps-0003/))
    expect(confirm().disabled).toBe(false)
    fireEvent.click(confirm())
    await waitFor(() => expect(link.trust.authority('ssh-user').rotation?.phase).toBe('sign'))
  })

  it('rolls back until the old one is let go, and not after', async () => {
    const link = await show(({ trust }) => {
      trust.startRotation('ssh-user')
    })
    const panel = await card('SSH user authority')
    fireEvent.click(await within(panel).findByRole('button', { name: 'Roll back…' }))
    fireEvent.click(await screen.findByRole('button', { name: 'Roll back' }))
    await screen.findByText('The old one signs again; the new one is being taken away.')
    expect(link.trust.authority('ssh-user').rotation?.phase).toBe('rollback')
    expect(within(await card('SSH user authority')).queryByRole('button', { name: 'Roll back…' })).toBeNull()
  })
})
