import { expect, type Locator, type Page } from '@playwright/test'

/** The terminals at the bottom of the window. */
export class TerminalDock {
  readonly page: Page
  readonly dock: Locator

  constructor(page: Page) {
    this.page = page
    this.dock = page.getByRole('region', { name: 'Terminals' })
  }

  pane(nodeName: string): Locator {
    return this.page.getByRole('region', { name: `Terminal on ${nodeName}` }).last()
  }

  async openOn(nodeName: string): Promise<void> {
    if (!(await this.dock.isVisible())) await this.page.keyboard.press('Control+`')
    await this.dock.getByRole('button', { name: 'New terminal' }).click()
    await this.dock.getByRole('combobox', { name: 'Node for the new terminal' }).fill(nodeName)
    await this.page.keyboard.press('Enter')
    await expect(this.pane(nodeName)).toBeVisible()
  }

  /** Types as a person does, into the terminal that has the focus. */
  async type(nodeName: string, line: string): Promise<void> {
    await this.pane(nodeName).locator('textarea').focus()
    await this.page.keyboard.type(line)
    await this.page.keyboard.press('Enter')
  }

  /** What stands on the screen, row by row; xterm keeps it in the document when it draws without WebGL. */
  async expectText(
    nodeName: string,
    text: string | RegExp,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<void> {
    const { timeoutMs = 20_000 } = options
    await expect
      .poll(() => this.screen(nodeName), { timeout: timeoutMs })
      .toMatch(text instanceof RegExp ? text : new RegExp(text))
  }

  async screen(nodeName: string): Promise<string> {
    const rows = await this.pane(nodeName).locator('.xterm-rows > div').allTextContents()
    return rows.join('\n')
  }
}
