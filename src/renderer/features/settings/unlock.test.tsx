import { fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink } from '../../api/links/fake.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { VaultGate } from './VaultGate.tsx'

let stop: (() => void) | null = null
afterEach(() => stop?.())

const show = async (isNew: boolean) => {
  const link = createFakeLink({ vaultUnlocked: false })
  link.engine.vaultIsNew = isNew
  stop = (await renderView(() => <VaultGate />, link, '#/fleet')).stop
  return link
}

const type = (label: string, value: string): void => {
  fireEvent.change(screen.getByLabelText(label), { target: { value } })
}

describe('a locked vault', () => {
  it('F59 of a new home: the passphrase is chosen twice, so that a slip of the hand chooses nothing', async () => {
    const link = await show(true)
    const button = await screen.findByRole('button', { name: 'Choose this passphrase' })
    type('Passphrase', 'correct horse')
    type('Once more', 'correct hoarse')
    expect(screen.getByText('The two differ.')).toBeTruthy()
    expect(button).toHaveProperty('disabled', true)
    type('Once more', 'correct horse')
    fireEvent.click(button)
    await waitFor(() => expect(link.engine.vaultUnlocked).toBe(true))
  })

  it('F59 that exists is asked for once', async () => {
    const link = await show(false)
    type('Passphrase', 'correct horse')
    expect(screen.queryByLabelText('Once more')).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: 'Unlock' }))
    await waitFor(() => expect(link.engine.vaultUnlocked).toBe(true))
  })
})
