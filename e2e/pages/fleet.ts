import { expect, type Locator, type Page } from '@playwright/test'

/** What a tile says it is; the words of `components/StatusMark.tsx`. */
export type TileWords =
  | 'in step'
  | 'pending'
  | 'error'
  | 'unreachable'
  | 'never synced'
  | 'held back'
  | 'in maintenance'

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The map and its header line. */
export class FleetPage {
  readonly page: Page
  readonly map: Locator
  readonly filter: Locator

  constructor(page: Page) {
    this.page = page
    this.map = page.getByRole('listbox', { name: /^Fleet map/ })
    this.filter = page
      .getByRole('textbox', { name: 'Filter the fleet' })
      .or(page.getByRole('combobox', { name: 'Filter the fleet' }))
  }

  async open(): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Fleet' }).click()
    await expect(this.page.getByRole('heading', { name: 'Fleet', exact: true })).toBeVisible()
  }

  tile(name: string): Locator {
    return this.map.getByRole('option', { name: new RegExp(`^${escaped(name)},`) })
  }

  /** The tile as it reads aloud: `worker-01, unreachable, does not answer, …`. */
  async expectTile(name: string, words: TileWords, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = 30_000 } = options
    await expect(this.tile(name)).toHaveAccessibleName(new RegExp(`^${escaped(name)}, ${words}`), {
      timeout: timeoutMs,
    })
  }

  /** A count of the header line, which is also a button that narrows the map. */
  count(words: TileWords): Locator {
    return this.page
      .getByRole('group', { name: 'Fleet status' })
      .getByRole('button', { name: new RegExp(` ${words}$`) })
  }

  async expectCount(words: TileWords, count: number, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = 60_000 } = options
    await expect(this.count(words)).toHaveAccessibleName(`${count} ${words}`, { timeout: timeoutMs })
  }

  async openDrawer(name: string): Promise<void> {
    await this.tile(name).click()
    await expect(this.page.getByRole('complementary', { name: `Node ${name}`, exact: true })).toBeVisible()
  }
}
