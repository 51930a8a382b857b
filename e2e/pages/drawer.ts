import { expect, type Locator, type Page } from '@playwright/test'

/** Everything about one node. */
export class NodeDrawer {
  readonly drawer: Locator
  readonly why: Locator

  constructor(page: Page, nodeName: string) {
    this.drawer = page.getByRole('complementary', { name: `Node ${nodeName}`, exact: true })
    this.why = this.drawer.getByRole('region', { name: 'Why' })
  }

  button(name: 'Resync' | 'Renew' | 'Terminal'): Locator {
    return this.drawer.getByRole('button', { name, exact: true })
  }

  /** What came of the last press. */
  async expectNote(text: string | RegExp, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = 60_000 } = options
    await expect(this.drawer.getByRole('status').filter({ hasText: text }).first()).toBeVisible({ timeout: timeoutMs })
  }

  async close(): Promise<void> {
    await this.drawer.getByRole('button', { name: 'Close (Esc)' }).click()
    await expect(this.drawer).toBeHidden()
  }
}
