import { expect, type Locator, type Page } from '@playwright/test'

export type CertificatesTab = 'By node' | 'Issue log' | 'Authorities' | 'Revocation list' | 'step-ca'

/** Who signs, what was signed, when it ends, and who refuses what was revoked. */
export class CertificatesPage {
  readonly page: Page
  readonly byNode: Locator
  readonly log: Locator
  readonly coverage: Locator
  readonly hours: Locator

  constructor(page: Page) {
    this.page = page
    this.byNode = page.getByRole('grid', { name: 'Certificates by node' })
    this.log = page.getByRole('grid', { name: 'Issue log' })
    this.coverage = page.getByRole('grid', { name: 'Nodes and their revocation list' })
    this.hours = page.getByRole('group', { name: 'certificates end in each of the next 48 hours' })
  }

  async open(): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Certificates' }).click()
    await expect(this.page.getByRole('heading', { name: 'Certificates', exact: true })).toBeVisible()
  }

  async openTab(tab: CertificatesTab): Promise<void> {
    await this.open()
    await this.page.getByRole('tab', { name: tab, exact: true }).click()
    await expect(this.page.getByRole('tab', { name: tab, exact: true })).toHaveAttribute('aria-selected', 'true')
  }

  row(nodeName: string): Locator {
    return this.byNode.getByRole('row').filter({ hasText: nodeName })
  }

  logRow(serial: string): Locator {
    return this.log.getByRole('row').filter({ has: this.page.getByText(serial, { exact: true }) })
  }

  authority(name: 'SSH user authority' | 'SSH host authority' | 'X.509 authority'): Locator {
    return this.page.getByRole('region', { name, exact: true })
  }

  /** How many nodes were proven to obey the list, as the line above the table says. */
  async expectObeyed(proven: number, total: number, options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs = 60_000 } = options
    await expect(this.page.getByText(/^Obeyed by/)).toHaveText(`Obeyed by ${proven} of ${total} nodes`, {
      timeout: timeoutMs,
    })
  }
}
