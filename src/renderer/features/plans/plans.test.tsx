import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { Plan, PlanOf } from '../../../shared/model/plan.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNode, fakeNodes, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { View } from './index.tsx'

let stop: (() => void) | null = null

async function show(hash: string, plans: readonly Plan[] = [fakePlan]): Promise<FakeLink> {
  const link = createFakeLink({ nodes: fakeNodes(20, Date.now()), plans })
  stop = (await renderView(View, link, hash)).stop
  return link
}

const write = (text: string): void => {
  fireEvent.change(screen.getByLabelText('Plans as YAML'), { target: { value: text } })
}

const valid =
  "- name: site\n  kind: tree\n  selector: 'kind:worker'\n  spec:\n    push: { source: /srv/site, target: ~/site }\n"

afterEach(() => {
  stop?.()
  stop = null
})

describe('plans', () => {
  it('says what is wrong while one types, and applies nothing until it is right', async () => {
    await show('#/plans/new')
    write(valid.replace('/srv/site', 'site'))
    expect((await screen.findByRole('status', { name: 'Mistakes in the document' })).textContent).toContain(
      'a path is absolute or starts with ~/',
    )
    expect(screen.getByRole('button', { name: 'Apply…' })).toHaveProperty('disabled', true)
    write(valid.replace('kind:worker', 'kin:worker'))
    expect((await screen.findByRole('status', { name: 'Mistakes in the document' })).textContent).toContain(
      'unknown field "kin"',
    )
  })

  it('U29 previews effect and reach before anything is applied', async () => {
    const link = await show('#/plans/new')
    const workers = [...link.engine.nodes.values()].filter((node) => node.kind === 'worker').length
    write(valid)
    const card = await screen.findByRole('region', { name: 'site' })
    expect(card.textContent).toContain('new')
    expect(card.textContent).toContain(`${workers} of 20 nodes`)
    fireEvent.click(screen.getByRole('button', { name: 'Apply…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain(`${workers} of 20 nodes`)
    expect(link.engine.plans.size).toBe(1)
    fireEvent.click(within(dialog).getByRole('button', { name: 'Apply 1 plan' }))
    await waitFor(() => expect([...link.engine.plans.values()].map((plan) => plan.name)).toContain('site'))
    await waitFor(() => expect(location.hash).toBe('#/plans'))
  })

  it('U29 warns before saving when another plan writes the same place, and keeps nobody from it', async () => {
    await show('#/plans/new')
    const nested = valid.replace('~/site', `${fakePlan.spec.push?.target}/inner`)
    write(nested)
    const warning = await screen.findByRole('region', { name: 'Plans that write the same place' })
    expect(warning.textContent).toContain(`The plans "site" and "${fakePlan.name}" both write`)
    fireEvent.click(screen.getByRole('button', { name: 'Apply…' }))
    expect((await screen.findByRole('alertdialog')).textContent).toContain('each run of one undoes the other')
    expect(screen.getByRole('button', { name: 'Apply 1 plan' })).toHaveProperty('disabled', false)
  })

  it('has nothing to apply when the text says what is there already', async () => {
    await show(`#/plans/${fakePlan.id}`)
    expect((await screen.findByRole('region', { name: 'edge config' })).textContent).toContain('unchanged')
    expect(screen.getByRole('button', { name: 'Apply…' })).toHaveProperty('disabled', true)
  })

  it('removes a plan only after the reach was named', async () => {
    const link = await show(`#/plans/${fakePlan.id}`)
    fireEvent.click(await screen.findByRole('button', { name: 'Remove…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('20 of 20 nodes')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Remove the plan' }))
    await waitFor(() => expect(link.engine.plans.size).toBe(0))
  })

  it('F56 writes a plan for the revocation list with a form, and names the field that is wrong', async () => {
    const link = await show('#/plans/new')
    fireEvent.click(await screen.findByRole('button', { name: 'revocation list' }))
    const file = await screen.findByLabelText<HTMLInputElement>('File on the node')
    expect(file.value).toBe('/etc/ssh/lockstep.krl')
    fireEvent.change(file, { target: { value: '/etc/ssh/with a space' } })
    await waitFor(() => expect(screen.getByLabelText('File on the node').getAttribute('aria-invalid')).toBe('true'))
    expect(screen.getByRole('button', { name: 'Apply…' })).toHaveProperty('disabled', true)
    fireEvent.change(screen.getByLabelText('File on the node'), { target: { value: '~/ssh/list.krl' } })
    fireEvent.click(screen.getByRole('button', { name: 'Apply…' }))
    fireEvent.click(await screen.findByRole('button', { name: 'Apply 1 plan' }))
    await waitFor(() => expect(link.engine.plans.size).toBe(2))
    expect([...link.engine.plans.values()].at(-1)).toMatchObject({ kind: 'krl', spec: { file: '~/ssh/list.krl' } })
    location.hash = '#/plans/new?kind=krl'
    expect((await screen.findByLabelText<HTMLInputElement>('Name')).value).toBe('revocation list 2')
  })

  it('F54 proposes paths beside the sshd_config that the nodes have', async () => {
    const { sshd, ...node } = fakeNode(1, Date.now(), 'in-step')
    const link = createFakeLink({
      nodes: [{ ...node, sshd: { ...sshd, configFile: '~/.machine/etc/ssh/sshd_config' } }],
      plans: [fakePlan],
    })
    stop = (await renderView(View, link, '#/plans/new?kind=host-certificate')).stop
    const file = await screen.findByLabelText<HTMLInputElement>('Public host key on the node')
    expect(file.value).toBe('~/.machine/etc/ssh/ssh_host_ed25519_key.pub')
  })

  it('S0.35 shows what an agent reported, and offers no change here', async () => {
    const agentPlan = {
      ...fakePlan,
      kind: 'agent',
      name: 'backup of db-1',
      spec: {
        storage: { address: 'storage.internal', port: 22, user: 'sync' },
        push: [{ source: '/srv/db', target: '/data/db' }],
        pull: [],
        excludes: [],
        delete: false,
        verify: 'checksum',
        schedule: null,
      },
    } as PlanOf<'agent'>
    await show(`#/plans/${agentPlan.id}`, [agentPlan])
    expect((await screen.findByRole('region', { name: 'Plan of the agent' })).textContent).toContain('/srv/db')
    expect(screen.getByText(/Configured on the agent/)).toBeDefined()
    expect(screen.queryByRole('button', { name: 'Apply…' })).toBeNull()
    expect(screen.queryByLabelText('Plans as YAML')).toBeNull()
  })

  it('teaches when there is no plan', async () => {
    await show('#/plans', [])
    expect(await screen.findByText('No plans yet')).toBeDefined()
  })
})
