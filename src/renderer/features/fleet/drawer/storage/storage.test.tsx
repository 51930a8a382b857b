import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../../../api/links/fake.ts'
import { fakeNode, fakePlan } from '../../../../api/links/fakeFleet.ts'
import { renderView } from '../../../../dev/renderForTest.tsx'
import { NodeDrawer } from '../NodeDrawer.tsx'
import { formOf, readForm } from './settingsForm.ts'

const nowMs = Date.now()
let stop: (() => void) | null = null

afterEach(() => {
  stop?.()
  stop = null
})

async function openWizard(condition: Parameters<typeof fakeNode>[2]): Promise<{ link: FakeLink; name: string }> {
  const node = fakeNode(7, nowMs, condition)
  const link = createFakeLink({ nodes: [node], plans: [fakePlan] })
  stop = (await renderView(() => <NodeDrawer nodeId={node.id} onClose={() => undefined} />, link, '#/fleet')).stop
  fireEvent.click(await screen.findByRole('button', { name: 'Make this node a storage…' }))
  await screen.findByRole('complementary', { name: `Make ${node.name} a storage` })
  return { link, name: node.name }
}

const note = 'console of the provider, tried in March'

async function toPreview(): Promise<void> {
  fireEvent.change(screen.getByLabelText('Which, and who can use it'), { target: { value: note } })
  fireEvent.click(screen.getByRole('button', { name: 'See what would change' }))
  await screen.findByRole('region', { name: 'Apply' })
}

describe('making a node a storage', () => {
  it('D38 demands a way around the certificates before it shows anything', async () => {
    await openWizard('in-step')
    fireEvent.click(screen.getByRole('button', { name: 'See what would change' }))
    expect(await screen.findByText(/say which way in you have tried/)).toBeDefined()
    expect(screen.queryByRole('region', { name: 'Apply' })).toBeNull()
    fireEvent.click(screen.getByLabelText(/A second authority/))
    fireEvent.change(screen.getByLabelText('Its public key'), { target: { value: 'not a key' } })
    fireEvent.click(screen.getByRole('button', { name: 'See what would change' }))
    expect(await screen.findByText(/one public key line/)).toBeDefined()
  })

  it('S0.21 S0.22 S0.23 S0.24 D4 shows every line that changes and applies only after the way around was tried', async () => {
    const { link, name } = await openWizard('in-step')
    await toPreview()
    const diff = screen.getByRole('region', { name: 'What changes in /etc/ssh/sshd_config' })
    expect(diff.textContent).toContain('+TrustedUserCAKeys /etc/ssh/ca/trusted_user_ca.pub')
    expect(diff.textContent).toContain('+AuthorizedKeysFile none')
    expect(diff.textContent).toContain('-PasswordAuthentication yes')
    expect(screen.getByText('sshd -t -f /etc/ssh/sshd_config')).toBeDefined()
    const apply = screen.getByRole<HTMLButtonElement>('button', { name: `Apply to ${name}` })
    expect(apply.disabled).toBe(true)
    fireEvent.click(screen.getByLabelText(new RegExp(`I have tried it: ${note}`)))
    expect(apply.disabled).toBe(false)
    expect(link.engine.node(name).storage).toBeNull()
    fireEvent.click(apply)
    await screen.findByText('Verified by a fresh login:')
    expect(link.engine.node(name).storage?.settings).toEqual({
      user: 'sync',
      principals: ['sync-agent'],
      breakGlass: { kind: 'console', note },
    })
  })

  it('says that it was taken back when the fresh login fails', async () => {
    const { link, name } = await openWizard('unreachable')
    await toPreview()
    fireEvent.click(screen.getByLabelText(/I have tried it/))
    fireEvent.click(screen.getByRole('button', { name: `Apply to ${name}` }))
    expect(await screen.findByRole('heading', { name: 'Taken back' })).toBeDefined()
    expect(screen.getByRole('alert').textContent).toContain('Everything was put back as it was before')
    expect(link.engine.node(name).storage).toBeNull()
  })

  it('applies nothing while something is in the way', async () => {
    const { link, name } = await openWizard('in-step')
    link.engine.saveNode({ ...link.engine.node(name), hostKeys: [] })
    await toPreview()
    expect(screen.getByRole('alert').textContent).toContain('No host key')
    expect(screen.getByRole<HTMLButtonElement>('button', { name: `Apply to ${name}` }).disabled).toBe(true)
  })

  it('puts back what was there, after it was named', async () => {
    const { link, name } = await openWizard('in-step')
    await toPreview()
    fireEvent.click(screen.getByLabelText(/I have tried it/))
    fireEvent.click(screen.getByRole('button', { name: `Apply to ${name}` }))
    await screen.findByText('Verified by a fresh login:')
    fireEvent.click(screen.getByRole('button', { name: 'Close' }))
    fireEvent.click(await screen.findByRole('button', { name: 'Undo…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('/var/backups/lockstep')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Put it back' }))
    await waitFor(() => expect(link.engine.node(name).storage).toBeNull())
  })
})

describe('settings of a storage', () => {
  it('reads principals apart, and keeps what was set before', () => {
    const form = { ...formOf(null), principals: ' sync-agent,  backup ', note: 'console' }
    const read = readForm(form)
    expect(read).toEqual({
      settings: {
        user: 'sync',
        principals: ['sync-agent', 'backup'],
        breakGlass: { kind: 'console', note: 'console' },
      },
    })
    if (!('settings' in read)) throw new Error('not read')
    expect(formOf(read.settings)).toMatchObject({ principals: 'sync-agent backup', note: 'console', way: 'console' })
  })

  it('names the field that is wrong', () => {
    expect(readForm({ ...formOf(null), user: '-oProxy', note: 'x' })).toHaveProperty('problems.user')
    expect(readForm({ ...formOf(null), principals: '*', note: 'x' })).toHaveProperty('problems.principals')
    expect(readForm({ ...formOf(null), note: '  ' })).toHaveProperty('problems.note')
  })
})
