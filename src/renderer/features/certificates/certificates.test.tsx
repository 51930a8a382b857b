import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { AppError } from '../../../shared/errors.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeIssueLog } from '../../api/links/fakeCertificates.ts'
import { fakeNode, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { operations } from '../../stores/operations.ts'
import { View } from './index.tsx'

const nowMs = Date.now()
let stop: (() => void) | null = null

async function show(link: FakeLink, hash: string): Promise<void> {
  stop = (await renderView(View, link, hash)).stop
}

function fleet(conditions: readonly Parameters<typeof fakeNode>[2][], issued = 0): FakeLink {
  const nodes = conditions.map((condition, index) => fakeNode(index + 1, nowMs, condition))
  const link = createFakeLink({ nodes, plans: [fakePlan] })
  for (const certificate of fakeIssueLog(issued, nodes, nowMs))
    link.engine.certificates.set(certificate.id, certificate)
  return link
}

const button = (name: string | RegExp): HTMLButtonElement => screen.getByRole('button', { name })
const log = () => screen.findByRole('grid', { name: 'Issue log' })
const serials = (grid: HTMLElement): string[] =>
  within(grid)
    .getAllByRole('row')
    .slice(1)
    .map((row) => within(row).getAllByRole('gridcell')[2]?.textContent ?? '')

afterEach(() => {
  stop?.()
  stop = null
  operations.setState({ resync: new Map(), renew: new Map() })
})

describe('renewal from the certificates view', () => {
  it('F53 calls renewed only what the node has accepted, and names the others with the cause', async () => {
    const link = fleet(['in-step', 'unreachable'])
    await show(link, '#/certificates')
    fireEvent.click(await screen.findByRole('button', { name: 'Choose all' }))
    fireEvent.click(button('Renew (2)…'))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('2 of 2 nodes')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Renew 2 certificates' }))
    const outcome = await screen.findByRole('status', { name: 'Result of the renewal' })
    expect(outcome.textContent).toContain('1 of 2 new certificates accepted.')
    expect(outcome.textContent).toContain('no answer, port 22')
    expect(await screen.findByText('issued, not accepted yet')).toBeDefined()
    expect(screen.getByText('1 of 2 nodes chosen')).toBeDefined()
  })

  it('S0.60 tries the others again under the key of the first press', async () => {
    const link = fleet(['in-step', 'unreachable'])
    await show(link, '#/certificates')
    fireEvent.click(await screen.findByRole('button', { name: 'Choose all' }))
    fireEvent.click(button('Renew (2)…'))
    fireEvent.click(await screen.findByRole('button', { name: 'Renew 2 certificates' }))
    fireEvent.click(await screen.findByRole('button', { name: 'Try the 1 other again' }))
    await waitFor(() => expect(link.trust.renewKeys).toHaveLength(2))
    expect(link.trust.renewKeys[0]).toBe(link.trust.renewKeys[1])
  })

  it('S0.60 asks once more under the same key when the answer was lost: nothing is signed twice', async () => {
    const link = fleet(['in-step'])
    link.trust.renewFailures.push({ when: 'after', error: new AppError('ENGINE_UNAVAILABLE', 'The connection broke.') })
    await show(link, '#/certificates')
    fireEvent.click(await screen.findByRole('button', { name: 'Choose all' }))
    fireEvent.click(button('Renew (1)…'))
    fireEvent.click(await screen.findByRole('button', { name: 'Renew 1 certificate' }))
    const outcome = await screen.findByRole('status', { name: 'Result of the renewal' }, { timeout: 4000 })
    expect(outcome.textContent).toContain('1 of 1 new certificate accepted.')
    expect(new Set(link.trust.renewKeys).size).toBe(1)
    expect(link.engine.certificates.size).toBe(1)
  })
})

describe('issue log', () => {
  it('N4 lists what was signed, also while one looks', async () => {
    const link = fleet(['in-step'])
    await show(link, '#/certificates?tab=issued')
    expect(await screen.findByText('Nothing was signed yet')).toBeDefined()
    link.engine.renew([...link.engine.nodes.values()][0] as never)
    const grid = await log()
    await waitFor(() => expect(within(grid).getByText('90001')).toBeDefined())
  })

  it('N4 narrows by standing, purpose and text, in words that stand in the address', async () => {
    const link = fleet(['in-step', 'in-step'], 60)
    await show(link, '#/certificates?tab=issued')
    const grid = await log()
    const all = [...link.engine.certificates.values()]
    fireEvent.change(screen.getByLabelText('Purpose'), { target: { value: 'host' } })
    const hosts = all.filter((each) => each.purpose === 'host').map((each) => each.serial)
    await waitFor(() => expect(serials(grid).sort()).toEqual(hosts.sort()))
    expect(location.hash).toContain('purpose=host')
    fireEvent.change(screen.getByLabelText('Search'), { target: { value: hosts[0] } })
    await waitFor(() => expect(serials(grid)).toContain(hosts[0]))
    expect(serials(grid).length).toBeLessThan(hosts.length)
    fireEvent.change(screen.getByLabelText('Search'), { target: { value: 'no such thing' } })
    fireEvent.click(await screen.findByRole('button', { name: 'Clear the filter' }))
    await waitFor(() => expect(location.hash).not.toContain('search'))
  })

  it('N4 opens every fact of one certificate, by id or by the serial the node shows', async () => {
    const link = fleet(['in-step'])
    const { serial } = link.engine.renew([...link.engine.nodes.values()][0] as never)
    await show(link, `#/certificates/${serial}`)
    const drawer = await screen.findByRole('complementary', { name: `Certificate ${serial}` })
    expect(drawer.textContent).toContain('renewed by hand')
    expect(drawer.textContent).toContain('ana@desk')
    fireEvent.click(within(drawer).getByRole('button', { name: 'Copy certificate line' }))
    await waitFor(() => expect(link.copied[0]).toContain('ssh-ed25519-cert-v01@openssh.com'))
    fireEvent.click(within(drawer).getByRole('button', { name: 'Close (Esc)' }))
    await waitFor(() => expect(location.hash).toBe('#/certificates?tab=issued'))
  })

  it('says so when a serial is in no log', async () => {
    await show(fleet(['in-step']), '#/certificates/424242')
    expect(await screen.findByText(/There is no certificate 424242/)).toBeDefined()
  })

  it('reads the log page by page, so that ten thousand certificates are no burden', async () => {
    const link = fleet(['in-step'], 10_000)
    await show(link, '#/certificates?tab=issued')
    const grid = await log()
    expect(within(grid).getAllByRole('row').length).toBeLessThan(100)
    expect(grid.getAttribute('aria-rowcount')).toBe('501')
    fireEvent.keyDown(grid, { key: 'End' })
    expect(screen.getByText(/The newest 500 certificates/)).toBeDefined()
  })
})

describe('expiry calendar', () => {
  it('N4 narrows the issue log to what ends in the hour that was pressed, and lets go again', async () => {
    const link = fleet(['in-step', 'in-step'], 40)
    await show(link, '#/certificates')
    const hours = await screen.findByRole('group', { name: 'certificates end in each of the next 48 hours' })
    const cell = await waitFor(() => {
      const found = within(hours)
        .getAllByRole('button')
        .find((each) => /\d+ certificates? ends?/.test(each.textContent ?? ''))
      if (found === undefined) throw new Error('no hour has anything yet')
      return found
    })
    fireEvent.click(cell)
    const grid = await log()
    const from = Number(new URLSearchParams(location.hash.split('?')[1]).get('from'))
    const ending = [...link.engine.certificates.values()]
      .filter(({ validBefore }) => validBefore >= from && validBefore < from + 3_600_000)
      .map(({ serial }) => serial)
    expect(ending.length).toBeGreaterThan(0)
    await waitFor(() => expect(serials(grid).sort()).toEqual(ending.sort()))
    fireEvent.click(await screen.findByRole('button', { name: /remove this condition/ }))
    await waitFor(() => expect(location.hash).not.toContain('from='))
  })

  it('is walked with the arrows: one stop for the Tab key', async () => {
    await show(fleet(['in-step'], 5), '#/certificates')
    const days = await screen.findByRole('group', { name: 'certificates end on each of the next 35 days' })
    const cells = within(days).getAllByRole('button')
    expect(cells).toHaveLength(35)
    expect(cells.filter((cell) => cell.tabIndex === 0)).toHaveLength(1)
    cells[0]?.focus()
    fireEvent.keyDown(cells[0] as HTMLElement, { key: 'ArrowRight' })
    expect(document.activeElement).toBe(cells[1])
    fireEvent.keyDown(cells[1] as HTMLElement, { key: 'End' })
    expect(document.activeElement).toBe(cells[34])
  })
})
