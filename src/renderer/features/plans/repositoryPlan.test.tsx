import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNodes } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { seedRepositories } from '../../dev/seedRepositories.ts'
import { View } from './index.tsx'

let stop = (): void => undefined

afterEach(() => {
  stop()
  stop = () => undefined
  cleanup()
})

const nowMs = 1_750_000_000_000

async function open(hash: string): Promise<FakeLink> {
  const link = createFakeLink({ nodes: fakeNodes(40, nowMs), nowMs: () => nowMs })
  seedRepositories(link, 3)
  ;({ stop } = await renderView(View, link, hash))
  return link
}

const change = (label: string, value: string): void =>
  void fireEvent.change(screen.getByLabelText(label), { target: { value } })

async function apply(): Promise<void> {
  fireEvent.click(screen.getByRole('button', { name: 'Apply…' }))
  fireEvent.click(within(await screen.findByRole('alertdialog')).getByRole('button', { name: 'Apply 1 plan' }))
}

describe('a plan of a repository', () => {
  it('S2.19 S2.20 S2.21 S2.22 is written in a form, with another directory for some nodes and patterns to leave out', async () => {
    const link = await open('#/plans/new?kind=repository&repository=playbooks')
    await waitFor(() => expect(screen.getByLabelText('Repository')).toHaveProperty('value', 'playbooks'))
    expect(screen.getByLabelText('Directory on the node')).toHaveProperty('value', '~/playbooks')
    change('Which nodes', 'kind:worker')
    change('Another directory for some nodes', 'worker-0004: /opt/playbooks\n')
    change('Excludes', '*.tmp\n__pycache__')
    change('How it gets there', 'release')
    change('Releases to keep', '3')
    change('Hold back above so many percent of the files', '12.5')
    await apply()
    await waitFor(() => expect([...link.engine.plans.values()].some(({ name }) => name === 'playbooks')).toBe(true))
    expect([...link.engine.plans.values()].find(({ name }) => name === 'playbooks')).toMatchObject({
      kind: 'repository',
      selector: 'kind:worker',
      spec: {
        repository: 'playbooks',
        ref: { kind: 'branch', name: null },
        target: '~/playbooks',
        targets: { 'worker-0004': '/opt/playbooks' },
        excludes: ['*.tmp', '__pycache__'],
        excludeDotGit: true,
        delete: true,
        deleteLimits: { maxShare: 0.125, freeFiles: 10 },
        strategy: { kind: 'release', keep: 3 },
        verify: { mode: 'sample', files: 200 },
      },
    })
  })

  it('pins one commit, and says at its field what is none', async () => {
    const link = await open('#/plans/new?kind=repository&repository=playbooks')
    await waitFor(() => expect(screen.getByLabelText('Repository')).toHaveProperty('value', 'playbooks'))
    change('Which commit', 'commit')
    change('Commit', 'main')
    await waitFor(() => expect(screen.getByLabelText('Commit').getAttribute('aria-invalid')).toBe('true'))
    expect(screen.getByRole('button', { name: 'Apply…' })).toHaveProperty('disabled', true)
    const commit = 'ab'.repeat(20)
    change('Commit', commit.toUpperCase())
    await apply()
    await waitFor(() => expect(link.repositories.plan('playbooks').spec.ref).toEqual({ kind: 'commit', commit }))
  })

  it('does not take a directory that is none, and a repository that there is not', async () => {
    await open('#/plans/new?kind=repository&repository=nowhere')
    expect(await screen.findByText('There is no repository of this name.')).toBeTruthy()
    change('Directory on the node', 'site')
    await waitFor(() =>
      expect(screen.getByLabelText('Directory on the node').getAttribute('aria-invalid')).toBe('true'),
    )
  })
})
