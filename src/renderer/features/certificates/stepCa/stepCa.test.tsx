import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../../api/links/fake.ts'
import { fakeDigest, fakeNodes, fakePlan } from '../../../api/links/fakeFleet.ts'
import { brokenStepCa, healthyStepCa } from '../../../api/links/fakeTrust.ts'
import { renderView } from '../../../dev/renderForTest.tsx'
import { View } from '../index.tsx'

const settings = {
  url: 'https://ca.internal:9000',
  rootFingerprint: fakeDigest(9),
  provisioner: 'sync-provisioner',
}
let stop: (() => void) | null = null

async function show(prepare: (link: FakeLink) => void = () => undefined): Promise<FakeLink> {
  const link = createFakeLink({ nodes: fakeNodes(3, Date.now()), plans: [fakePlan] })
  prepare(link)
  stop = (await renderView(View, link, '#/certificates?tab=step-ca')).stop
  return link
}

afterEach(() => {
  stop?.()
  stop = null
})

const write = (label: string, value: string): void => {
  fireEvent.change(screen.getByLabelText(label), { target: { value } })
}

describe('step-ca in the console', () => {
  it('S0.29 keeps nothing that was not proven, says why, and forgets the password it was given', async () => {
    const link = await show()
    await screen.findByRole('region', { name: 'Set up step-ca' })
    write('Address', 'http://ca.internal:9000')
    write('Fingerprint of its root certificate', settings.rootFingerprint.toUpperCase().replace(/(..)(?=.)/g, '$1:'))
    write('Password of the provisioner', 'wrong horse')
    fireEvent.click(screen.getByRole('button', { name: 'Prove it and keep it' }))
    expect(await screen.findByText('the address of step-ca starts with https://')).toBeDefined()
    write('Address', settings.url)
    fireEvent.click(screen.getByRole('button', { name: 'Prove it and keep it' }))
    expect((await screen.findByRole('alert')).textContent).toContain('the password does not open the key')
    expect(screen.getByLabelText<HTMLInputElement>('Password of the provisioner').value).toBe('')
    expect(link.trust.stepCa.settings).toBeNull()
    write('Password of the provisioner', 'correct horse')
    fireEvent.click(screen.getByRole('button', { name: 'Prove it and keep it' }))
    await screen.findByRole('region', { name: 'Provisioners' })
    expect(link.trust.stepCa.settings).toEqual(settings)
  })

  it('U6 lists what each provisioner allows', async () => {
    await show((link) => {
      link.trust.stepCa = healthyStepCa(settings, Date.now())
    })
    const list = await screen.findByRole('region', { name: 'Provisioners' })
    expect(list.textContent).toContain('SSHPOP')
    expect(list.textContent).toContain('renew host certificates')
  })

  it('names the consequence before another one signs', async () => {
    const link = await show(({ trust }) => {
      trust.stepCa = healthyStepCa(settings, Date.now())
    })
    fireEvent.click(await screen.findByRole('button', { name: 'Let step-ca sign…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('0 of 3 have proven the authorities they should trust')
    expect(link.trust.stepCa.active).toBe(false)
    fireEvent.click(within(dialog).getByRole('button', { name: 'Let step-ca sign' }))
    await waitFor(() => expect(link.trust.stepCa.active).toBe(true))
    await screen.findByText('every user certificate')
  })

  it('says what still works when step-ca does not answer', async () => {
    await show((link) => {
      link.trust.stepCa = brokenStepCa(settings, Date.now())
    })
    expect((await screen.findByRole('alert')).textContent).toContain('Certificates that are out keep working')
  })

  it('S0.4 shows the commands that set one up, with the name that is configured', async () => {
    await show()
    const [init] = await screen.findAllByText(/step ca init/)
    expect(init?.textContent).toContain('--provisioner sync-provisioner')
  })
})
