import { expect, type Locator, type Page } from '@playwright/test'

/** The repositories: the list, and one of them with its targets, commits, findings and settings. */
export class RepositoriesPage {
  readonly page: Page
  readonly targets: Locator
  readonly commits: Locator
  readonly findings: Locator
  readonly begun: Locator

  constructor(page: Page) {
    this.page = page
    this.targets = page.getByRole('grid', { name: 'Targets' })
    this.commits = page.getByRole('grid', { name: 'Commits' })
    this.findings = page.getByRole('grid', { name: 'Findings' })
    this.begun = page.getByRole('status').filter({ hasText: /^Sync of / })
  }

  /** `''` is the list; else `<name>/targets` and so on. */
  async open(place = ''): Promise<void> {
    await this.page.evaluate((next) => {
      location.hash = `#/repositories${next === '' ? '' : `/${next}`}`
    }, place)
    await expect(this.page.getByRole('main').getByRole('heading').first()).toBeVisible()
  }

  /** Fills the form and adds it; the first fetch begins by itself. */
  async add(name: string, remote: string): Promise<void> {
    await this.open('add')
    await this.page.getByLabel('Name', { exact: true }).fill(name)
    await this.page.getByLabel('Remote', { exact: true }).fill(remote)
    await this.page.getByRole('checkbox', { name: 'Ask the remote by itself' }).uncheck()
    await this.page.getByRole('button', { name: 'Add and fetch it' }).click()
    await expect(this.page.getByRole('navigation', { name })).toBeVisible()
  }

  async fetch(): Promise<void> {
    await this.page.getByRole('button', { name: 'Fetch', exact: true }).click()
  }

  /** Of all targets, after the question. */
  async sync(): Promise<void> {
    await this.page.getByRole('button', { name: 'Sync…' }).click()
    const dialog = this.page.getByRole('alertdialog')
    await dialog.getByRole('button', { name: 'Sync', exact: true }).click()
    await expect(dialog).toBeHidden({ timeout: 30_000 })
    await expect(this.begun).toBeVisible()
  }

  rowsWith(grid: Locator, text: string | RegExp): Locator {
    return grid.getByRole('row').filter({ hasText: text })
  }
}
