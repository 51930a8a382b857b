import { expect, type Locator, type Page } from '@playwright/test'

/** A decision names whom it reaches before anything is sent. */
export class Decision {
  readonly dialog: Locator

  constructor(page: Page) {
    this.dialog = page.getByRole('alertdialog')
  }

  async expectRadius(text: string | RegExp): Promise<void> {
    await expect(this.dialog).toContainText(text)
    await expect(this.dialog.getByRole('button', { name: 'Cancel' })).toBeFocused()
  }

  async confirm(label: string): Promise<void> {
    await this.dialog.getByRole('button', { name: label, exact: true }).click()
    await expect(this.dialog).toBeHidden()
  }
}
