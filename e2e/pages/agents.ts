import { expect, type Locator, type Page } from '@playwright/test'

/** Every agent, and the way to one more. */
export class AgentsPage {
  readonly page: Page
  readonly addDrawer: Locator
  readonly tokens: Locator

  constructor(page: Page) {
    this.page = page
    this.addDrawer = page.getByRole('complementary', { name: 'Add an agent' })
    this.tokens = page.getByRole('grid', { name: 'Join tokens' })
  }

  async open(): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Agents' }).click()
    await expect(this.page.getByRole('heading', { name: 'Agents', exact: true })).toBeVisible()
  }

  async openAdd(): Promise<void> {
    await this.page.getByRole('main').getByRole('button', { name: 'Add an agent' }).first().click()
    await expect(this.addDrawer).toBeVisible()
  }

  /** Switches the gateway on in the steps of “Add an agent”, at a free port. */
  async switchGatewayOn(address: string): Promise<void> {
    await this.addDrawer.getByLabel('Address to listen at').fill(address)
    await this.addDrawer.getByLabel('Port').fill('0')
    await this.addDrawer.getByRole('button', { name: 'Switch the gateway on' }).click()
    await expect(this.addDrawer.getByRole('heading', { name: 'Create a join token' })).toBeVisible()
  }

  /** @returns the secret in the command for the host, as it is shown this once */
  async createToken(nodeName: string): Promise<string> {
    await this.addDrawer.getByLabel('Name of its node').fill(nodeName)
    await this.addDrawer.getByRole('button', { name: 'Create the token' }).click()
    const command = this.addDrawer.getByText(/^\$?\s*printf .*lockstep-agent enroll --join-file -/)
    await expect(this.addDrawer.getByRole('status')).toHaveText('Waiting for the agent…')
    return /lsj1\.[\w-]+/.exec((await command.first().textContent()) ?? '')?.[0] ?? ''
  }

  card(name: string): Locator {
    return this.page.getByRole('list', { name: 'Agents' }).getByRole('listitem').filter({ hasText: name })
  }

  async openTokens(): Promise<void> {
    await this.page.evaluate(() => {
      location.hash = '#/agents/tokens'
    })
    await expect(this.page.getByRole('heading', { name: 'Agents / Join tokens' })).toBeVisible()
  }

  token(words: string | RegExp): Locator {
    return this.tokens.getByRole('row').filter({ hasText: words }).first()
  }
}

/** Everything about one agent. */
export class AgentDrawer {
  readonly drawer: Locator
  readonly track: Locator
  readonly log: Locator

  constructor(page: Page, name: string) {
    this.drawer = page.getByRole('complementary', { name: `Agent ${name}`, exact: true })
    this.track = this.drawer.getByRole('list', { name: 'States of this run' }).getByRole('listitem')
    this.log = this.drawer.getByRole('log', { name: 'Output' })
  }

  button(name: string): Locator {
    return this.drawer.getByRole('button', { name, exact: true })
  }

  async close(): Promise<void> {
    await this.drawer.getByRole('button', { name: 'Close (Esc)' }).click()
    await expect(this.drawer).toBeHidden()
  }
}
