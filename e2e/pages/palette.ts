import { expect, type Locator, type Page } from '@playwright/test'

/** One field that reaches everything. */
export class Palette {
  readonly page: Page
  readonly field: Locator
  readonly found: Locator

  constructor(page: Page) {
    this.page = page
    this.field = page.getByRole('combobox', { name: 'Find nodes, agents, runs, plans and actions' })
    this.found = page.getByRole('listbox', { name: 'Found' }).getByRole('option')
  }

  async open(): Promise<void> {
    await this.page.keyboard.press('Control+k')
    await expect(this.field).toBeFocused()
  }

  async choose(query: string): Promise<void> {
    await this.open()
    await this.field.fill(query)
    await expect(this.found.first()).toBeVisible()
    await this.page.keyboard.press('Enter')
    await expect(this.field).toBeHidden()
  }
}
