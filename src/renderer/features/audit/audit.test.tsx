import { fireEvent, screen, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { AuditVerification } from '../../../shared/model/audit.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { View } from './index.tsx'

let stop: (() => void) | null = null

/** The link with another answer to `audit.verify`. */
function answering(verification: AuditVerification): FakeLink {
  const link = createFakeLink({})
  const { system, audit } = link.client
  const client = {
    system,
    audit: { list: audit.list, verify: async () => verification },
  } as unknown as FakeLink['client']
  return { ...link, client }
}

async function verify(verification: AuditVerification): Promise<string> {
  stop = (await renderView(View, answering(verification), '#/audit')).stop
  const grid = await screen.findByRole('grid', { name: 'Audit log' })
  expect((await within(grid).findAllByText('certificate.issue')).length).toBeGreaterThan(0)
  fireEvent.click(screen.getByRole('button', { name: 'Verify the chain' }))
  return (await screen.findByRole('status')).textContent ?? ''
}

afterEach(() => {
  stop?.()
  stop = null
})

describe('audit', () => {
  it('N14 says that the chain is intact, and how long it is', async () => {
    expect(await verify({ entries: 60, intact: true, firstBrokenSeq: null, headHash: 'c'.repeat(64) })).toContain(
      'Intact: 60 rows.',
    )
  })

  it('N14 names the first row that does not follow', async () => {
    const text = await verify({ entries: 60, intact: false, firstBrokenSeq: 17, headHash: 'c'.repeat(64) })
    expect(text).toContain('Broken at row 17')
    expect(text).not.toContain('Intact')
  })
})
