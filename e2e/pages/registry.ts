import { expect, type Locator, type Page } from '@playwright/test'

/** The registry: tables and texts to edit, history, sources, and who carries what. */
export class RegistryPage {
  readonly page: Page
  readonly grid: Locator
  readonly text: Locator
  /** What the draft would do, or what is wrong with it. */
  readonly standing: Locator
  readonly mistakes: Locator

  constructor(page: Page) {
    this.page = page
    this.grid = page.getByRole('grid').first()
    this.text = page.getByRole('textbox', { name: /registry as (JSON|YAML)/ })
    this.standing = page.getByRole('region', { name: 'Draft' }).getByRole('status')
    this.mistakes = page.getByRole('list', { name: 'Mistakes' })
  }

  async open(place = 'services'): Promise<void> {
    await this.page.evaluate((next) => {
      location.hash = `#/registry/${next}`
    }, place)
    await expect(this.page.getByRole('heading', { name: 'Registry', exact: true })).toBeVisible()
  }

  row(name: string): Locator {
    return this.grid.getByRole('row').filter({ hasText: name }).first()
  }

  #activeCell(id: string | null): Locator {
    return this.page.locator(`[id="${id}"]`)
  }

  /** What stands in the cell where the keyboard is. */
  async activeText(): Promise<string | null> {
    return this.#activeCell(await this.grid.getAttribute('aria-activedescendant')).textContent()
  }

  /** Goes to a row of a table with the arrow keys alone. */
  async walkTo(name: string): Promise<void> {
    await this.grid.focus()
    await this.page.keyboard.press('Control+Home')
    for (let steps = 0; steps < 50; steps += 1) {
      const row = this.#activeCell(await this.grid.getAttribute('aria-activedescendant')).locator('xpath=..')
      if ((await row.textContent())?.startsWith(name)) return
      await this.page.keyboard.press('ArrowDown')
    }
    throw new Error(`no row begins with ${name}`)
  }

  /** Puts another text in the place of the whole one. */
  async replaceText(text: string): Promise<void> {
    await this.text.click()
    await this.page.keyboard.press('Control+a')
    await this.page.keyboard.insertText(text)
  }

  /** Opens the preview, and saves. */
  async save(comment = ''): Promise<void> {
    await this.page.getByRole('button', { name: 'Save…' }).click()
    const dialog = this.page.getByRole('alertdialog')
    if (comment !== '') await dialog.getByLabel('Comment').fill(comment)
    await dialog.getByRole('button', { name: 'Save the revision' }).click()
    await expect(dialog).toBeHidden()
  }
}
