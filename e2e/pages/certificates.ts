import { expect, type Locator, type Page } from '@playwright/test'

export class CertificatesPage {
  readonly page: Page
  readonly byNode: Locator

  constructor(page: Page) {
    this.page = page
    this.byNode = page.getByRole('grid', { name: 'Certificates by node' })
  }

  async open(): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Certificates' }).click()
    await expect(this.page.getByRole('heading', { name: 'Certificates', exact: true })).toBeVisible()
  }

  row(nodeName: string): Locator {
    return this.byNode.getByRole('row').filter({ hasText: nodeName })
  }
}
