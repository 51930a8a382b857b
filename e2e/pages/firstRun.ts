import { expect, type Page } from '@playwright/test'

/** The empty console. */
export class FirstRunPage {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  async expectEmpty(): Promise<void> {
    await expect(this.page.getByRole('heading', { name: 'No nodes yet' })).toBeVisible()
  }

  async startDemo(): Promise<void> {
    await this.page.getByRole('button', { name: 'Start a demo fleet' }).click()
  }
}
