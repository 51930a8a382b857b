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

async function open(hash: string, { repositories = 5, nodes = 120 } = {}): Promise<FakeLink> {
  const link = createFakeLink({ nodes: fakeNodes(nodes, nowMs), nowMs: () => nowMs })
  seedRepositories(link, repositories)
  ;({ stop } = await renderView(View, link, hash))
  return link
}

const rowWith = (text: string): HTMLElement => {
  const row = screen.getAllByRole('row').find((each) => each.textContent?.includes(text))
  if (row === undefined) throw new Error(`no row has ${text}`)
  return row
}
const dialog = (): Promise<HTMLElement> => screen.findByRole('alertdialog')
const press = (name: string | RegExp, within_: HTMLElement = document.body): void =>
  void fireEvent.click(within(within_).getByRole('button', { name }))

describe('the list of repositories', () => {
  it('S2.2 S2.33 shows each with what is wrong and the one next step', async () => {
    await open('#/repositories')
    await waitFor(() => expect(rowWith('th_timmy').textContent).toContain('2 open'))
    expect(rowWith('th_timmy').textContent).toContain('held back')
    expect(within(rowWith('th_timmy')).getByRole('link', { name: 'See the findings' })).toBeTruthy()
    expect(rowWith('edge-site').textContent).toContain('history was rewritten')
    expect(within(rowWith('edge-site')).getByRole('link', { name: 'Take the new history' })).toBeTruthy()
    expect(rowWith('team-5').textContent).toContain('never fetched')
    expect(rowWith('team-5').textContent).toContain('no plan delivers it')
  })

  it('says what a repository is while there is none', async () => {
    await open('#/repositories', { repositories: 0 })
    expect(await screen.findByRole('heading', { name: 'No repositories yet' })).toBeTruthy()
    press('Take over a configuration')
    expect(location.hash).toBe('#/repositories/add?by=import')
  })
})

describe('targets', () => {
  it('S2.15 shows what each node should have and what was read back, and selects what a count counts', async () => {
    await open('#/repositories/playbooks/targets')
    await screen.findByRole('grid', { name: 'Targets' })
    const count = screen.getByRole('button', { name: /behind$/ })
    const number = Number(/\d+/.exec(count.textContent ?? '')?.[0])
    fireEvent.click(count)
    const bar = await screen.findByRole('toolbar', { name: 'Selected targets' })
    expect(bar.textContent).toContain(`${number} of`)
    expect(screen.getAllByRole('row').filter((row) => row.textContent?.includes('3 commits')).length).toBe(number)
  })

  it('S2.12 S2.14 names plan, nodes and command before it syncs, and sends what was chosen', async () => {
    const link = await open('#/repositories/playbooks')
    await screen.findByRole('grid', { name: 'Targets' })
    fireEvent.click(screen.getByRole('button', { name: /never delivered$/ }))
    press('Sync these…', await screen.findByRole('toolbar', { name: 'Selected targets' }))
    const asked = await dialog()
    const [node] = [...link.engine.nodes.values()].filter((each) => each.kind === 'vm').slice(4)
    expect(asked.textContent).toContain(`lockstep repos sync playbooks ${node?.name} --plan 'playbooks tree' --wait`)
    expect(asked.textContent).toContain('1 of 120 nodes')
    press('Sync', asked)
    await waitFor(() => expect(screen.getByText(/^Sync of playbooks: 1 run/)).toBeTruthy())
    expect([...link.engine.runs.values()].map(({ nodeName, planName }) => [nodeName, planName])).toEqual([
      [node?.name, 'playbooks tree'],
    ])
  })

  it('D18 says what force means, and that the scan is never left out', async () => {
    await open('#/repositories/th_timmy')
    await screen.findByRole('grid', { name: 'Targets' })
    fireEvent.click(screen.getByRole('button', { name: 'More' }))
    fireEvent.click(await screen.findByRole('menuitem', { name: /^Sync with force/ }))
    const asked = await dialog()
    expect(asked.textContent).toContain('changes in it that are not committed are lost')
    expect(asked.textContent).toContain('The scan is not left out')
    expect(asked.textContent).toContain('--force')
  })

  it('S2.7 S2.16 reads the sentinels now, and says of each what it found', async () => {
    await open('#/repositories/playbooks')
    await screen.findByRole('grid', { name: 'Targets' })
    press('Verify all now')
    const told = await screen.findByText(/sentinels asked for just now/)
    expect(told.parentElement?.textContent).toMatch(/at the wanted commit.*at another commit.*without a sentinel/)
    expect(screen.getAllByText('no sentinel').length).toBeGreaterThan(0)
  })

  it('shows what a sync would add, change and delete on one node', async () => {
    await open('#/repositories/playbooks')
    await screen.findByRole('grid', { name: 'Targets' })
    fireEvent.click(rowWith('3 commits'))
    press('Preview changes', await screen.findByRole('complementary', { name: /^playbooks tree on/ }))
    const drawer = await screen.findByRole('complementary', { name: /^What a sync would change on/ })
    await waitFor(() => expect(drawer.textContent).toContain('2 added, 14 changed, 1 deleted'))
    expect(within(drawer).getByRole('list', { name: 'Files that would be deleted' }).textContent).toContain(
      'services/api/old_health.py',
    )
  })
})

describe('commits', () => {
  it('deploys one commit, shows from and to before, and pins the plan to it', async () => {
    const link = await open('#/repositories/playbooks/commits')
    await screen.findByRole('grid', { name: 'Commits' })
    await waitFor(() => expect(screen.getAllByRole('row').length).toBeGreaterThan(3))
    fireEvent.click(screen.getAllByRole('row')[3] as HTMLElement)
    press('Deploy this one…', await screen.findByRole('complementary', { name: /^Commit/ }))
    const asked = await dialog()
    await waitFor(() => expect(within(asked).getByRole('region', { name: 'From and to' })).toBeTruthy())
    const { commit } = link.repositories.line(
      link.repositories.find('playbooks'),
      link.repositories.resolve(link.repositories.find('playbooks'), { kind: 'branch', name: null }),
    )[2] as { commit: string }
    expect(asked.textContent).toContain(`lockstep repos deploy 'playbooks tree' --commit ${commit} --wait`)
    press('Deploy it', asked)
    await waitFor(() => expect(link.repositories.plan('playbooks tree').spec.ref).toEqual({ kind: 'commit', commit }))
  })

  it('offers to follow the branch again where the commit is its newest', async () => {
    const link = await open('#/repositories/playbooks/commits')
    await waitFor(() => expect(screen.getAllByRole('row').length).toBeGreaterThan(3))
    fireEvent.click(screen.getAllByRole('row')[1] as HTMLElement)
    press('Deploy this one…', await screen.findByRole('complementary', { name: /^Commit/ }))
    const asked = await dialog()
    expect(asked.textContent).toContain('--default-branch')
    fireEvent.click(within(asked).getByRole('radio', { name: /^this commit/ }))
    await waitFor(() => expect(asked.textContent).toContain('--commit'))
    expect(link.repositories.plan('playbooks tree').spec.ref).toEqual({ kind: 'branch', name: null })
  })

  it('rolls back to the commit that most nodes had before, and names it first', async () => {
    const link = await open('#/repositories/playbooks/commits')
    await waitFor(() => expect(screen.getAllByRole('row').length).toBeGreaterThan(3))
    press('Roll back…')
    const asked = await dialog()
    await waitFor(() => expect(asked.textContent).toMatch(/Roll playbooks tree back to [0-9a-f]{10}\?/))
    const shown = /back to ([0-9a-f]{10})\?/.exec(asked.textContent ?? '')?.[1] ?? ''
    press('Roll back', asked)
    await waitFor(() => expect(link.repositories.plan('playbooks tree').spec.ref.kind).toBe('commit'))
    const { ref } = link.repositories.plan('playbooks tree').spec
    expect(ref.kind === 'commit' && ref.commit.startsWith(shown)).toBe(true)
  })
})

describe('findings', () => {
  it('S2.17 S2.33 shows rule, file and line, and who allowed what until when', async () => {
    await open('#/repositories/th_timmy/findings')
    await waitFor(() => expect(rowWith('deploy/prod.env:14').textContent).toContain('aws-access-key'))
    expect(rowWith('deploy/prod.env:14').textContent).toContain('open')
    expect(rowWith('tests/fixtures/ca/server.key:1').textContent).toContain('by ana@desk')
    const scan = screen.getByRole('complementary', { name: 'The scan' })
    expect(scan.textContent).toContain('2 findings: syncs are held back')
    expect(within(scan).getByRole('list', { name: 'Told to look away, and did not' }).textContent).toContain(
      'deploy/values.yaml:12',
    )
    expect(within(scan).getByRole('list', { name: 'Not looked into' }).textContent).toContain(
      'assets/logo.png (binary)',
    )
  })

  it('U40 allows a finding only with a reason, until a day', async () => {
    const link = await open('#/repositories/th_timmy/findings')
    await waitFor(() => rowWith('deploy/prod.env'))
    press('Allow…', rowWith('deploy/prod.env'))
    const asked = await dialog()
    expect(within(asked).getByRole('button', { name: 'Allow it' })).toHaveProperty('disabled', true)
    fireEvent.change(within(asked).getByLabelText('Why it may lie there'), {
      target: { value: 'The key of the docs.' },
    })
    fireEvent.click(within(asked).getByRole('radio', { name: '30 days' }))
    press('Allow it', asked)
    await waitFor(() => expect(rowWith('deploy/prod.env').textContent).toContain('by ana@desk'))
    expect(link.repositories.allowed.at(-1)).toMatchObject({
      file: 'deploy/prod.env',
      reason: 'The key of the docs.',
      expiresAt: expect.closeTo(nowMs + 30 * 86_400_000, -5),
    })
  })

  it('an allowance that has ended does not count, and says so', async () => {
    const link = await open('#/repositories/th_timmy/findings')
    const entry = link.repositories.allowed[0]
    if (entry === undefined) throw new Error('nothing is allowed')
    link.repositories.allowed[0] = { ...entry, expiresAt: nowMs - 1 }
    link.engine.commit({ kind: 'repositories.changed' })
    await waitFor(() => expect(rowWith('server.key').textContent).toContain('was allowed until it expired'))
    expect(screen.getByRole('complementary', { name: 'The scan' }).textContent).toContain('3 findings')
  })
})

describe('settings', () => {
  it('S2.11 a token goes into the vault, and is in no answer and not on the page', async () => {
    const link = await open('#/repositories/playbooks/settings')
    const token = await screen.findByLabelText('Token')
    expect(token).toHaveProperty('value', '')
    fireEvent.change(token, { target: { value: 'canary-token-9' } })
    press('Save')
    const { id } = link.repositories.find('playbooks')
    await waitFor(() => expect(link.repositories.tokens.get(id)).toBe('canary-token-9'))
    await waitFor(() => expect(screen.getByLabelText('Token')).toHaveProperty('value', ''))
    expect(document.body.innerHTML).not.toContain('canary-token-9')
  })

  it('says at the field what is wrong while one types, and saves nothing then', async () => {
    const link = await open('#/repositories/playbooks/settings')
    const remote = await screen.findByLabelText('Remote')
    fireEvent.change(remote, { target: { value: 'https://ana:secret@git.example.com/x.git' } })
    await waitFor(() => expect(remote.getAttribute('aria-invalid')).toBe('true'))
    press('Save')
    expect(link.repositories.find('playbooks').settings.remote).toBe('https://git.example.com/soc/playbooks.git')
  })
})

describe('a new repository', () => {
  it('S2.2 is added by hand and fetched at once', async () => {
    const link = await open('#/repositories/add', { repositories: 0 })
    press('Add and fetch it')
    await screen.findByText('It needs a name.')
    fireEvent.change(screen.getByLabelText('Name'), { target: { value: 'site' } })
    fireEvent.change(screen.getByLabelText('Remote'), { target: { value: 'file:///srv/git/site.git' } })
    press('Add and fetch it')
    await waitFor(() => expect(location.hash).toMatch(/^#\/repositories\/[0-9a-f-]{36}$/))
    await waitFor(() => expect(link.repositories.find('site').state.fetchedAt).toBe(nowMs))
    expect(await screen.findByRole('heading', { name: 'No plan delivers it yet' })).toBeTruthy()
  })

  it('S2.18 S2.19 S2.30 a configuration is read, shown, and taken over only then', async () => {
    const link = await open('#/repositories/add?by=import', { repositories: 0 })
    fireEvent.change(await screen.findByLabelText(/^The configuration/), { target: { value: 'nothing of that kind' } })
    press('Read it')
    await screen.findByText('The text has no section "repository".')
    fireEvent.change(screen.getByLabelText(/^The configuration/), {
      target: { value: 'repository:\n  main_repo_path: /home/ops/site\n' },
    })
    press('Read it')
    await screen.findByText('3 nodes')
    expect(screen.getByText(/vm04 holds the repository itself/)).toBeTruthy()
    expect(link.repositories.repositories.size).toBe(0)
    press('Take it over…')
    press('Take it over', await dialog())
    await waitFor(() => expect(link.repositories.repositories.size).toBe(1))
    await waitFor(() => expect(location.hash).toBe('#/repositories/main'))
  })
})
