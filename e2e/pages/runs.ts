import { expect, type Locator, type Page } from '@playwright/test'

/** One run: its eleven states, its log, what was asked and what was proven. */
export class RunPage {
  readonly page: Page
  readonly states: Locator
  readonly log: Locator
  readonly facts: Locator

  constructor(page: Page) {
    this.page = page
    this.states = page.getByRole('list', { name: 'States of this run' }).getByRole('listitem')
    this.log = page.getByRole('log', { name: 'Output' })
    this.facts = page.getByRole('complementary', { name: 'Facts of this run' })
  }

  async open(runId: string): Promise<void> {
    await this.page.evaluate((id) => {
      location.hash = `#/runs/${id}`
    }, runId)
    await expect(this.states).toHaveCount(11)
  }

  state(name: string): Locator {
    return this.page
      .getByRole('list', { name: 'States of this run' })
      .getByRole('listitem', { name: new RegExp(`^${name}:`) })
  }

  async expectStatus(words: string | RegExp, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = 60_000 } = options
    await expect(
      this.page.getByRole('main').getByRole('banner').or(this.page.getByRole('main').locator('header')).first(),
    ).toContainText(words, {
      timeout: timeoutMs,
    })
  }
}

/** The history. */
export class RunsPage {
  readonly page: Page
  readonly table: Locator

  constructor(page: Page) {
    this.page = page
    this.table = page.getByRole('grid', { name: 'Runs' })
  }

  async open(): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Runs' }).click()
    await expect(this.page.getByRole('heading', { name: 'Runs', exact: true })).toBeVisible()
  }

  row(nodeName: string): Locator {
    return this.table.getByRole('row').filter({ hasText: nodeName }).first()
  }
}
